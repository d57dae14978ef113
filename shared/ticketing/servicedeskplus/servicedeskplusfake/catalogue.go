package servicedeskplusfake

import (
	"net/http"
	"strings"

	"github.com/deskhand/deskhand/shared/ticketing"
)

func solution(a ticketing.Article) object {
	o := object{
		"id": a.Key, "title": a.Title, "description": toHTML(a.Text), "keywords": "", "topic": nil,
		"is_public": false, "no_of_hits": "0", "owner": nil, "approval_status": object{"id": "2", "name": "Approved"},
		"created_time": moment(a.Updated), "last_updated_time": moment(a.Updated), "attachments": []any{},
	}
	if a.Account != "" {
		o["account"] = named(a.Account)
	}
	return o
}

func (s *Server) listSolutions(c *call) {
	rows := []object{}
	for _, a := range s.state.Articles {
		rows = append(rows, solution(a))
	}
	if s.cloud() {
		s.list(c, "solutions", rows)
		return
	}
	s.list(c, "solutions", rows, "description")
}

func (s *Server) getSolution(c *call) {
	for _, a := range s.state.Articles {
		if a.Key == c.r.PathValue("id") {
			c.one(http.StatusOK, "solution", solution(a))
			return
		}
	}
	c.fail(http.StatusNotFound, 4007, "Invalid URL or no such resource")
}

// asset gives a system in the format of the build.
func (s *Server) asset(y ticketing.System) object {
	o := object{
		"id": y.Key, "name": y.Hostname, "state": object{"id": "1", "name": "In Use"}, "site": named(y.Location),
		"user": nil, "department": nil, "asset_tag": nil, "org_serial_number": nil,
	}
	if y.Account != "" {
		o["account"] = named(y.Account)
	}
	if s.o.Dialect == OnPrem15100 {
		o["module"], o["primary_ip"] = named(y.Role), nil
		if len(y.Addresses) > 0 {
			o["primary_ip"] = strings.Join(y.Addresses, ", ")
		}
		return o
	}
	adapters := []object{}
	for _, address := range y.Addresses {
		adapters = append(adapters, object{"ip_address": address, "mac_address": nil})
	}
	o["product_type"], o["network_adapters"] = named(y.Role), adapters
	return o
}

func (s *Server) assetRoute() (list, one string) {
	if s.o.Dialect == OnPrem15100 {
		return "asset_assets", "asset_asset"
	}
	return "assets", "asset"
}

func (s *Server) listAssets(c *call) {
	if s.o.Unlicensed {
		c.fail(http.StatusForbidden, 7001, "The module is not licensed")
		return
	}
	rows := []object{}
	for _, y := range s.state.Systems {
		rows = append(rows, s.asset(y))
	}
	key, _ := s.assetRoute()
	s.list(c, key, rows, "network_adapters")
}

func (s *Server) getAsset(c *call) {
	if s.o.Unlicensed {
		c.fail(http.StatusForbidden, 7001, "The module is not licensed")
		return
	}
	_, key := s.assetRoute()
	for _, y := range s.state.Systems {
		if y.Key == c.r.PathValue("id") {
			c.one(http.StatusOK, key, s.asset(y))
			return
		}
	}
	c.fail(http.StatusNotFound, 4007, "Invalid URL or no such resource")
}
