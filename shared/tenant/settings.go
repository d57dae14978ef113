package tenant

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// The bounds of settings.
const (
	maxSetting     = 200 // characters of a text
	maxHistoryDays = 3650
	maxRecencyDays = 3650
	maxPerMinute   = 100_000
	maxStatuses    = 20
	maxDailyTokens = 1_000_000_000
	maxUSD         = 1_000_000
	maxFallbacks   = 3
)

// defaultRecencyDays was measured (docs/retrieval.md).
const defaultRecencyDays = 60

// language is the form of a BCP 47 tag. It goes into the prompt, so nothing else
// may.
var language = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$`)

// short tells whether a text is one line that is not too long.
func short(text string) bool {
	return len(text) <= maxSetting && !strings.ContainsFunc(text, unicode.IsControl)
}

// Check says everything that is wrong with settings, by the names that the API
// and the command use. sources are the evidence sources that can be switched off.
func (s Settings) Check(sources []string) error {
	var errs []error
	want := func(ok bool, name, what string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s: want %s", name, what))
		}
	}
	want(slices.Contains([]string{"", "html", "markdown"}, s.NoteFormat), "note_format", "html or markdown")
	for name, text := range map[string]string{"model": s.Model, "app_referer": s.AppReferer, "app_title": s.AppTitle} {
		want(short(text), name, fmt.Sprintf("at most %d characters on one line", maxSetting))
	}
	for _, source := range s.SourcesOff {
		want(slices.Contains(sources, source), "sources_off", "names of "+strings.Join(sources, ", "))
	}
	want(len(s.SourcesOff) <= len(sources), "sources_off", "each name once")
	want(s.HistoryDays >= 0 && s.HistoryDays <= maxHistoryDays, "history_days", fmt.Sprintf("0 to %d", maxHistoryDays))
	want(s.RecencyDays >= -1 && s.RecencyDays <= maxRecencyDays, "recency_days", fmt.Sprintf("-1 to %d", maxRecencyDays))
	want(s.WebhooksPerMinute >= 0 && s.WebhooksPerMinute <= maxPerMinute, "webhooks_per_minute", fmt.Sprintf("0 to %d", maxPerMinute))
	want(s.Language == "" || language.MatchString(s.Language), "language", "a BCP 47 tag such as de or pt-BR")
	want(len(s.ClosedStatuses) <= maxStatuses, "closed_statuses", fmt.Sprintf("at most %d names", maxStatuses))
	for _, status := range s.ClosedStatuses {
		want(short(status) && strings.TrimSpace(status) != "" && !strings.Contains(status, ","), "closed_statuses", "names without commas")
	}
	want(s.DailyTokens >= 0 && s.DailyTokens <= maxDailyTokens, "daily_tokens", fmt.Sprintf("0 to %d", maxDailyTokens))
	for name, usd := range map[string]float64{"daily_usd": s.DailyUSD, "monthly_usd": s.MonthlyUSD} {
		want(usd >= 0 && usd <= maxUSD, name, fmt.Sprintf("0 to %d", maxUSD))
	}
	want(len(s.Fallbacks) <= maxFallbacks, "fallback_models", fmt.Sprintf("at most %d models", maxFallbacks))
	for _, model := range s.Fallbacks {
		want(short(model) && strings.TrimSpace(model) != "", "fallback_models", fmt.Sprintf("names of models, at most %d characters each", maxSetting))
	}
	_, err := s.Networks()
	return errors.Join(append(errs, s.checkRules(), err)...)
}

// SettingsMarkdown is the table of a tenant's settings for docs/configuration.md.
func SettingsMarkdown() string {
	var b strings.Builder
	b.WriteString("\n## Settings of a tenant\n\nSet by `deskhand tenant edit` or the admin API; effective everywhere within 10 seconds.\n\n" +
		"| setting | what it is |\n| --- | --- |\n")
	for f := range reflect.TypeFor[Settings]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, f.Tag.Get("doc"))
	}
	return b.String()
}

// Set sets the setting of this name from text, as people write it: true or
// false, a number, or names and rules with commas between them, or on a line
// each where one has a comma. Nothing at all gives it its default. Check says whether the value is allowed.
func (s *Settings) Set(name, text string) error {
	fields := reflect.ValueOf(s).Elem()
	var names []string
	for f := range reflect.TypeFor[Settings]().Fields() {
		have, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, have)
	}
	at := slices.Index(names, name)
	if at < 0 {
		return fmt.Errorf("%.50q is no setting: want one of %s", name, strings.Join(names, ", "))
	}
	switch field := fields.Field(at); field.Kind() {
	case reflect.String:
		field.SetString(text)
	case reflect.Bool:
		on, err := strconv.ParseBool(text)
		if err != nil && text != "" {
			return fmt.Errorf("%s: want true or false", name)
		}
		field.SetBool(on)
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil && text != "" {
			return fmt.Errorf("%s: want a number", name)
		}
		field.SetInt(int64(n))
	case reflect.Float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil && text != "" {
			return fmt.Errorf("%s: want a number", name)
		}
		field.SetFloat(n)
	default: // names
		var list []string
		between := ","
		if strings.Contains(text, "\n") {
			between = "\n"
		}
		for part := range strings.SplitSeq(text, between) {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
		field.Set(reflect.ValueOf(list))
	}
	return nil
}
