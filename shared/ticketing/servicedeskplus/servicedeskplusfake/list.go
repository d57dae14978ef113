package servicedeskplusfake

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// listShape is what a list may be asked.
var listShape = shape{"list_info": {
	"row_count": nil, "start_index": nil, "page": nil, "sort_field": nil, "sort_order": nil, "get_total_count": nil,
	"fields_required": nil, "search_criteria": nil, "search_fields": nil, "filter_by": nil,
}}

// sortable are the fields by which requests can be sorted.
var sortable = []string{
	"created_time", "due_by_time", "first_response_due_by_time", "last_updated_time", "scheduled_start_time",
	"scheduled_end_time", "subject", "id", "priority", "status",
}

// list answers with the page of rows that the call asks for. The rows have
// what a list shows; hidden keys can be searched and are not shown.
func (s *Server) list(c *call, key string, rows []object, hidden ...string) {
	info := object{}
	if c.form.Has("input_data") {
		in, ok := c.input(listShape)
		if !ok {
			return
		}
		info = in.inner("list_info")
	}
	if key == "requests" && info["sort_field"] != nil && !slices.Contains(sortable, info.str("sort_field")) {
		c.fail(http.StatusBadRequest, 4001, "cannot sort by this field", "sort_field")
		return
	}
	rows, err := s.search(info, rows)
	if err != nil {
		c.fail(http.StatusBadRequest, 4000, err.Error(), "search_criteria")
		return
	}
	start, count, err := s.window(info)
	if err != nil {
		c.fail(http.StatusBadRequest, 4001, err.Error(), "list_info")
		return
	}
	sortRows(rows, cmp.Or(info.str("sort_field"), "id"), info.str("sort_order") == "desc")
	answer := object{"has_more_rows": len(rows) > start+count, "start_index": start + 1, "row_count": count}
	for _, echo := range []string{"sort_field", "sort_order"} {
		if info[echo] != nil {
			answer[echo] = info[echo]
		}
	}
	if info["get_total_count"] == true {
		answer["total_count"] = len(rows)
	}
	shown := []object{}
	for _, row := range rows[min(start, len(rows)):min(start+count, len(rows))] {
		shown = append(shown, only(row, info["fields_required"], hidden))
	}
	c.reply(http.StatusOK, object{
		key: shown, "list_info": answer,
		"response_status": []object{{"status_code": 2000, "status": "success"}},
	})
}

// window gives the first row, from 0, and how many are asked for. The first
// row is number 1, and 0 is taken for it too.
func (s *Server) window(info object) (start, count int, err error) {
	number := func(key string, otherwise int) int {
		if info[key] == nil {
			return otherwise
		}
		n, convErr := strconv.Atoi(info.str(key))
		if convErr != nil || n < 0 {
			err = fmt.Errorf("%s is not a number", key)
		}
		return n
	}
	if info["page"] != nil && info["start_index"] != nil {
		return 0, 0, fmt.Errorf("page and start_index exclude each other")
	}
	count = number("row_count", 10)
	if count > 100 && s.o.RejectLargeCounts {
		return 0, 0, fmt.Errorf("row_count is over 100")
	}
	count = min(count, 100)
	start = max(number("start_index", 1)-1, 0)
	if info["page"] != nil {
		start = max(number("page", 1)-1, 0) * count
	}
	return start, count, err
}

// only gives the keys of a row that a list shows.
func only(row object, required any, hidden []string) object {
	names, some := required.([]any)
	shown := object{}
	for key, v := range row {
		wanted := !some || key == "id" || slices.Contains(names, any(key))
		if wanted && !slices.Contains(hidden, key) {
			shown[key] = v
		}
	}
	return shown
}

// sortRows sorts by the field, and by id where it is the same.
func sortRows(rows []object, field string, desc bool) {
	slices.SortStableFunc(rows, func(a, b object) int {
		order := compare(scalar(at(a, field)), scalar(at(b, field)))
		if desc {
			order = -order
		}
		return cmp.Or(order, compare(a.str("id"), b.str("id")))
	})
}

// compare compares numbers as numbers and other text without case.
func compare(a, b string) int {
	x, errX := strconv.ParseInt(a, 10, 64)
	y, errY := strconv.ParseInt(b, 10, 64)
	if errX == nil && errY == nil {
		return cmp.Compare(x, y)
	}
	return strings.Compare(strings.ToLower(a), strings.ToLower(b))
}

// at gives what stands at a path such as "status.name".
func at(o object, path string) any {
	first, rest, nested := strings.Cut(path, ".")
	if !nested {
		return o[first]
	}
	switch inner := o[first].(type) {
	case object:
		return at(inner, rest)
	case map[string]any:
		return at(inner, rest)
	}
	return nil
}

// scalar gives a value as text: a time by its value, a record by its name.
func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	case int, int64:
		return fmt.Sprint(v)
	case map[string]any:
		return scalar(object(v))
	case object:
		if value, ok := v["value"]; ok {
			return scalar(value)
		}
		return scalar(v["name"])
	}
	return ""
}
