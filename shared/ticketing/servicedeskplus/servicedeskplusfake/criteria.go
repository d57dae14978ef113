package servicedeskplusfake

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// search gives the rows that meet search_fields and search_criteria.
func (s *Server) search(info object, rows []object) ([]object, error) {
	criteria, err := s.criteria(info["search_criteria"])
	if err != nil {
		return nil, err
	}
	found := []object{}
	for _, row := range rows {
		meets, err := all(criteria, row)
		if err != nil {
			return nil, err
		}
		for field, want := range info.inner("search_fields") {
			meets = meets && compare(scalar(at(row, field)), scalar(want)) == 0
		}
		if meets {
			found = append(found, row)
		}
	}
	return found, nil
}

// criterion is one condition, with those that are joined to it.
type criterion struct {
	field, condition string
	values           []any
	or               bool
	children         []criterion
}

var criterionKeys = shape{"field": nil, "condition": nil, "value": nil, "values": nil, "logical_operator": nil, "children": nil}

// criteria reads one criterion or a list of them. Builds on-premises refuse a
// time that is joined to another criterion without an operator.
func (s *Server) criteria(v any) ([]criterion, error) {
	var list []any
	switch v := v.(type) {
	case nil:
		return nil, nil
	case []any:
		list = v
	default:
		list = []any{v}
	}
	var read []criterion
	times, silent := false, false
	for i, item := range list {
		o, ok := item.(map[string]any)
		if !ok {
			return nil, errors.New("a criterion is an object")
		}
		if extra := extraKey(o, criterionKeys); extra != "" {
			return nil, fmt.Errorf("extra key %s", extra)
		}
		one, err := s.criterion(o)
		if err != nil {
			return nil, err
		}
		times = times || strings.HasSuffix(one.field, "_time")
		silent = silent || (i > 0 && o["logical_operator"] == nil)
		read = append(read, one)
	}
	if times && silent && !s.cloud() {
		return nil, errors.New("several criteria with a time and without logical_operator")
	}
	return read, nil
}

func (s *Server) criterion(o object) (criterion, error) {
	one := criterion{field: o.str("field"), condition: o.str("condition"), or: strings.EqualFold(o.str("logical_operator"), "OR")}
	if values, ok := o["values"].([]any); ok {
		one.values = values
	} else if value, ok := o["value"]; ok {
		one.values = []any{value}
	}
	if one.field != "" && conditions[one.condition] == nil {
		return one, fmt.Errorf("condition %q is unknown", one.condition)
	}
	if strings.HasSuffix(one.condition, "between") && len(one.values) != 2 {
		return one, errors.New("between wants two values")
	}
	var err error
	one.children, err = s.criteria(o["children"])
	return one, err
}

// all joins the criteria from left to right by their operators.
func all(criteria []criterion, row object) (bool, error) {
	meets := true
	for i, one := range criteria {
		this, err := one.meets(row)
		if err != nil {
			return false, err
		}
		switch {
		case i == 0:
			meets = this
		case one.or:
			meets = meets || this
		default:
			meets = meets && this
		}
	}
	return meets, nil
}

// meets tells whether the row meets the criterion joined with its children.
func (one criterion) meets(row object) (bool, error) {
	if one.field == "" && len(one.children) == 0 {
		return false, errors.New("a criterion without a field")
	}
	if one.field == "" {
		return all(one.children, row)
	}
	meets := conditions[one.condition](at(row, one.field), one.values)
	for _, child := range one.children {
		this, err := child.meets(row)
		if err != nil {
			return false, err
		}
		if child.or {
			meets = meets || this
		} else {
			meets = meets && this
		}
	}
	return meets, nil
}

// condition compares what a row has with the values of a criterion.
type condition func(has any, values []any) bool

func isNot(c condition) condition {
	return func(has any, values []any) bool { return !c(has, values) }
}

// is is met by any of the values; without values by a row that has nothing.
func is(has any, values []any) bool {
	if len(values) == 0 {
		return has == nil
	}
	return slices.ContainsFunc(values, func(want any) bool {
		if record, ok := want.(map[string]any); ok { // a whole record, by some of its fields
			for key, v := range record {
				if compare(scalar(at(object{"it": has}, "it."+key)), scalar(v)) != 0 {
					return false
				}
			}
			return has != nil
		}
		return has != nil && compare(scalar(has), scalar(want)) == 0
	})
}

// ordered is met where the comparison with the first value is one of want.
func ordered(want ...int) condition {
	return func(has any, values []any) bool {
		return has != nil && len(values) > 0 && slices.Contains(want, compare(scalar(has), scalar(values[0])))
	}
}

func between(has any, values []any) bool {
	return has != nil && compare(scalar(has), scalar(values[0])) >= 0 && compare(scalar(has), scalar(values[1])) <= 0
}

// matching is met where any value matches, without case.
func matching(match func(has, want string) bool) condition {
	return func(has any, values []any) bool {
		return has != nil && slices.ContainsFunc(values, func(want any) bool {
			return match(strings.ToLower(scalar(has)), strings.ToLower(scalar(want)))
		})
	}
}

// conditions are the words for every condition.
var conditions = map[string]condition{
	"is": is, "=": is, "eq": is,
	"is not": isNot(is), "!=": isNot(is), "neq": isNot(is),
	"greater than": ordered(1), "gt": ordered(1),
	"greater or equal": ordered(0, 1), "gte": ordered(0, 1),
	"lesser than": ordered(-1), "lt": ordered(-1),
	"lesser or equal": ordered(-1, 0), "lte": ordered(-1, 0),
	"between": between, "not between": isNot(between),
	"starts with": matching(strings.HasPrefix), "ends with": matching(strings.HasSuffix),
	"contains": matching(strings.Contains), "not contains": isNot(matching(strings.Contains)),
}
