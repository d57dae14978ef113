package tenant

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A rule is "field:pattern". The pattern is held against the whole field,
// without regard to case: * stands for any text, ? for one character.

// The bounds of rules.
const (
	maxRules = 50
	maxField = 1000 // characters of a field that are looked at
)

// ruleFields are the fields of a ticket that rules may name.
var ruleFields = []string{"subject", "requester", "status", "priority", "site"}

// cutRule gives the two halves of a rule, or an error that says what it wants.
func cutRule(rule string, fields []string) (field, pattern string, err error) {
	field, pattern, _ = strings.Cut(rule, ":")
	field, pattern = strings.TrimSpace(field), strings.TrimSpace(pattern)
	if !slices.Contains(fields, field) || pattern == "" || len(rule) > maxSetting {
		err = fmt.Errorf("%.50q: want field:pattern in at most %d characters, the field one of %s", rule, maxSetting, strings.Join(fields, ", "))
	}
	return field, pattern, err
}

// SkippedBy gives the first of the rules in Skip that a ticket matches, or "".
// fields gives all values of a field of the ticket: of a requester, name and
// address.
func (s Settings) SkippedBy(fields func(name string) []string) string {
	for _, rule := range s.Skip {
		field, pattern, err := cutRule(rule, ruleFields)
		if err == nil && slices.ContainsFunc(fields(field), func(text string) bool { return Match(pattern, text) }) {
			return rule
		}
	}
	return ""
}

// ModelFor gives the model for a ticket of this priority, where the evidence is
// thin or not: that of the first of ModelRules that matches, else Model.
func (s Settings) ModelFor(priority string, thin bool) string {
	for _, rule := range s.ModelRules {
		field, pattern, model, err := cutModelRule(rule)
		if err == nil && (field == "evidence" && thin || field == "priority" && Match(pattern, priority)) {
			return model
		}
	}
	return s.Model
}

// Models gives every model that may be asked for the tenant, each once; "" is
// the installation's.
func (s Settings) Models() []string {
	models := []string{s.Model}
	for _, rule := range s.ModelRules {
		if _, _, model, err := cutModelRule(rule); err == nil {
			models = append(models, model)
		}
	}
	models = append(models, s.Fallbacks...)
	slices.Sort(models)
	return slices.Compact(models)
}

// cutModelRule gives the parts of "priority:pattern=model" or
// "evidence:thin=model".
func cutModelRule(rule string) (field, pattern, model string, err error) {
	rule, model, _ = strings.Cut(rule, "=")
	field, pattern, err = cutRule(rule, []string{"priority", "evidence"})
	model = strings.TrimSpace(model)
	if err == nil && (model == "" || !short(model) || field == "evidence" && pattern != "thin") {
		err = fmt.Errorf("%.50q: want priority:pattern=model or evidence:thin=model", rule)
	}
	return field, pattern, model, err
}

// checkRules says what is wrong with the rules.
func (s Settings) checkRules() error {
	var errs []error
	for name, rules := range map[string][]string{"skip": s.Skip, "model_rules": s.ModelRules} {
		if len(rules) > maxRules {
			errs = append(errs, fmt.Errorf("%s: want at most %d rules", name, maxRules))
		}
		for _, rule := range rules {
			_, _, err := cutRule(rule, ruleFields)
			if name == "model_rules" {
				_, _, _, err = cutModelRule(rule)
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// Match tells whether the pattern matches the whole text, whatever the case of
// letters: * stands for any characters or none, ? for one. Of a text only the
// first 1,000 characters are looked at. The time is bounded by the product of
// the lengths.
func Match(pattern, text string) bool {
	p, t := []rune(strings.ToLower(pattern)), []rune(strings.ToLower(text))
	t = t[:min(len(t), maxField)]
	i, j := 0, 0
	star, from := -1, 0 // the last *, and where what follows it is tried now
	for j < len(t) {
		switch {
		case i < len(p) && p[i] == '*':
			star, from = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == t[j]):
			i, j = i+1, j+1
		case star >= 0: // the * takes one character more
			from++
			i, j = star+1, from
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}
