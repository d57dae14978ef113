package servicedeskplus

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The types below read what the API sends. It writes numbers as numbers or as
// strings and puts null anywhere, differently by edition and build, so none of
// them ever fails: what cannot be read is the zero value.

// text is a string, a number or a boolean, as text.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	*t = ""
	switch {
	case len(b) == 0 || b[0] == '{' || b[0] == '[' || bytes.Equal(b, []byte("null")):
	case b[0] == '"':
		var s string
		_ = json.Unmarshal(b, &s)
		*t = text(s)
	default:
		*t = text(b)
	}
	return nil
}

// int gives the number that the text holds, or 0.
func (t text) int() int64 {
	n, _ := strconv.ParseInt(strings.TrimSpace(string(t)), 10, 64)
	return n
}

// reference is another record: an object with a name, or the name itself.
type reference string

func (r *reference) UnmarshalJSON(b []byte) error {
	var object struct {
		Name text `json:"name"`
	}
	var name text
	_ = name.UnmarshalJSON(b)
	if json.Unmarshal(b, &object) == nil {
		name = object.Name
	}
	*r = reference(line(string(name)))
	return nil
}

// person is a user of the product: an object with a name and an address, or the
// name itself.
type person struct {
	Name  reference
	Email string
}

func (p *person) UnmarshalJSON(b []byte) error {
	var object struct {
		Email text `json:"email_id"`
	}
	_ = json.Unmarshal(b, &object)
	_ = p.Name.UnmarshalJSON(b)
	p.Email = line(string(object.Email))
	return nil
}

// instant is {"value": epoch milliseconds}; the display value depends on the
// locale of the API's user and is not looked at.
type instant struct{ time.Time }

func (i *instant) UnmarshalJSON(b []byte) error {
	var object struct {
		Value text `json:"value"`
	}
	i.Time = time.Time{}
	if json.Unmarshal(b, &object) == nil {
		if ms := object.Value.int(); ms > 0 && ms <= lastMilli {
			i.Time = time.UnixMilli(ms).UTC()
		}
	}
	return nil
}

// lastMilli is the end of the year 9999: JSON has no later times.
const lastMilli = 253402300799999

// content is an object with a content, as a resolution is, or the text itself.
type content string

func (c *content) UnmarshalJSON(b []byte) error {
	var object struct {
		Content text `json:"content"`
	}
	var s text
	_ = s.UnmarshalJSON(b)
	if json.Unmarshal(b, &object) == nil {
		s = object.Content
	}
	*c = content(s)
	return nil
}

// status is the state of a request. Only the cloud tells InProgress, and the
// name that the product has for it, whatever people call it.
type status struct {
	Name       string
	Internal   string
	InProgress *bool
}

func (s *status) UnmarshalJSON(b []byte) error {
	var name reference
	_ = name.UnmarshalJSON(b)
	var object struct {
		Internal   text  `json:"internal_name"`
		InProgress *bool `json:"in_progress"`
	}
	_ = json.Unmarshal(b, &object)
	*s = status{string(name), line(string(object.Internal)), object.InProgress}
	return nil
}

// among tells whether the status has one of these names, in any case.
func (s status) among(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, s.Name) })
}

// request is a ticket.
type request struct {
	ID          text      `json:"id"`
	DisplayID   text      `json:"display_id"`
	Subject     text      `json:"subject"`
	Description text      `json:"description"`
	Status      status    `json:"status"`
	Priority    reference `json:"priority"`
	Site        reference `json:"site"`
	Requester   person    `json:"requester"`
	Technician  person    `json:"technician"`
	Resolution  content   `json:"resolution"`
	Created     instant   `json:"created_time"`
	Updated     instant   `json:"last_updated_time"`
	Responded   instant   `json:"responded_time"`
	ResolvedAt  instant   `json:"resolved_time"`
	Completed   instant   `json:"completed_time"`
	fields      fields    // everything, for the account
}

func (r *request) UnmarshalJSON(b []byte) error {
	type plain request
	_ = json.Unmarshal(b, (*plain)(r))
	_ = json.Unmarshal(b, &r.fields)
	return nil
}

// note is a note of a request. The description is nil where a list leaves it out.
type note struct {
	ID          text    `json:"id"`
	Description *text   `json:"description"`
	Public      bool    `json:"-"`
	AddedTime   instant `json:"added_time"`   // on-premises
	CreatedTime instant `json:"created_time"` // cloud
}

func (n *note) UnmarshalJSON(b []byte) error {
	type plain note
	var shown struct {
		ToRequester text `json:"show_to_requester"`
	}
	_ = json.Unmarshal(b, &shown)
	n.Public = shown.ToRequester == "true"
	_ = json.Unmarshal(b, (*plain)(n))
	return nil
}

func (n note) added() time.Time {
	if n.AddedTime.IsZero() {
		return n.CreatedTime.Time
	}
	return n.AddedTime.Time
}

func (n note) body() string {
	if n.Description == nil {
		return ""
	}
	return string(*n.Description)
}

// solution is an article. The description is nil where a list leaves it out.
type solution struct {
	ID          text    `json:"id"`
	Title       text    `json:"title"`
	Description *text   `json:"description"`
	Created     instant `json:"created_time"`
	Updated     instant `json:"last_updated_time"`
	fields      fields
}

func (s *solution) UnmarshalJSON(b []byte) error {
	type plain solution
	_ = json.Unmarshal(b, (*plain)(s))
	_ = json.Unmarshal(b, &s.fields)
	return nil
}

// asset is a system of the inventory, in the old and in the new format.
type asset struct {
	ID          text      `json:"id"`
	Name        text      `json:"name"`
	ProductType reference `json:"product_type"` // old
	Module      reference `json:"module"`       // new
	Site        reference `json:"site"`
	PrimaryIP   text      `json:"primary_ip"` // new
	IPAddress   text      `json:"ip_address"` // old
	Adapters    []struct {
		IPAddress text `json:"ip_address"`
	} `json:"network_adapters"` // old, in details only
	fields fields
}

func (a *asset) UnmarshalJSON(b []byte) error {
	type plain asset
	_ = json.Unmarshal(b, (*plain)(a))
	_ = json.Unmarshal(b, &a.fields)
	return nil
}

// fields are all fields of a record.
type fields map[string]json.RawMessage

// at gives the text at a path such as "account.name". A field of the admin's
// own is found with and without the container udf_fields, which builds since
// 15200 leave out.
func (f fields) at(path string) string {
	first, rest, nested := strings.Cut(path, ".")
	if first == "udf_fields" && nested {
		if s := f.at(rest); s != "" {
			return s
		}
	}
	raw, ok := f[first]
	if !ok && strings.HasPrefix(first, "udf_") && first != "udf_fields" {
		var own fields
		_ = json.Unmarshal(f["udf_fields"], &own)
		raw = own[first]
	}
	if nested {
		var inner fields
		_ = json.Unmarshal(raw, &inner)
		return inner.at(rest)
	}
	var r reference
	_ = r.UnmarshalJSON(raw)
	return string(r)
}

// listInfo asks for one page of a list.
type listInfo struct {
	RowCount   int         `json:"row_count"`
	StartIndex int         `json:"start_index"`
	SortField  string      `json:"sort_field,omitempty"`
	SortOrder  string      `json:"sort_order,omitempty"`
	Total      bool        `json:"get_total_count,omitempty"`
	Fields     []string    `json:"fields_required,omitempty"`
	Criteria   []criterion `json:"search_criteria,omitempty"`
}

// criterion is one condition. Every one after the first carries an operator:
// some builds refuse lists of criteria that do not say it. Values that are
// empty but not nil ask for rows without a value.
type criterion struct {
	Field     string   `json:"field"`
	Condition string   `json:"condition"`
	Value     string   `json:"value,omitempty"`
	Values    []string `json:"values,omitzero"`
	Operator  string   `json:"logical_operator,omitempty"`
}

// listed is what a list says of itself. The row count in it only echoes the
// question, so rows are counted.
type listed struct {
	Info struct {
		More  text `json:"has_more_rows"`
		Total text `json:"total_count"`
	} `json:"list_info"`
}

func (l listed) more() bool { return l.Info.More == "true" }

// page asks for the rows from start on.
func page(start int, criteria ...criterion) listing {
	return listing{listInfo{RowCount: pageRows, StartIndex: start, Criteria: criteria}}
}

type listing struct {
	Info listInfo `json:"list_info"`
}

// pageRows is the most that the API gives at once.
const pageRows = 100
