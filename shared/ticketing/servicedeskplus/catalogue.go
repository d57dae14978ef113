package servicedeskplus

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/deskhand/deskhand/shared/ticketing"
)

// Articles implements ticketing.Librarian with the approved solutions.
func (t *tool) Articles(ctx context.Context, at string) ([]ticketing.Article, string, error) {
	articles, next, err := t.articles(ctx, at)
	if err != nil {
		return nil, "", fmt.Errorf("servicedeskplus: list solutions from %q: %w", at, err)
	}
	return articles, next, nil
}

func (t *tool) articles(ctx context.Context, at string) ([]ticketing.Article, string, error) {
	start, err := row(at)
	if err != nil {
		return nil, "", err
	}
	var a struct {
		listed
		Solutions []solution `json:"solutions"`
	}
	approved := criterion{Field: "approval_status.name", Condition: "is", Value: "Approved"}
	if err := t.read(ctx, http.MethodGet, "solutions", page(start, approved), &a); err != nil {
		return nil, "", err
	}
	var articles []ticketing.Article
	for _, s := range a.Solutions {
		if s.Description == nil {
			if s, err = t.solution(ctx, s); err != nil {
				return nil, "", err
			}
		}
		if article := t.article(s); article.Key != "" {
			articles = append(articles, article)
		}
	}
	return articles, following(start, len(a.Solutions), a.more()), nil
}

// solution reads what a list left out; one that is gone by now has no id.
func (t *tool) solution(ctx context.Context, s solution) (solution, error) {
	if !digits(string(s.ID)) {
		return solution{}, nil
	}
	var a struct {
		Solution solution `json:"solution"`
	}
	err := t.read(ctx, http.MethodGet, "solutions/"+string(s.ID), nil, &a)
	if errors.Is(err, ticketing.ErrNotFound) || has(err, codeForbidden) {
		return solution{}, nil
	}
	if err != nil {
		return solution{}, fmt.Errorf("solution %s: %w", s.ID, err)
	}
	return a.Solution, nil
}

func (t *tool) article(s solution) ticketing.Article {
	id := string(s.ID)
	a := ticketing.Article{
		Key:     id,
		Title:   line(string(s.Title)),
		URL:     t.link(t.articleURL, id, id),
		Updated: s.Updated.Time,
		Account: s.fields.at(t.account),
	}
	if s.Description != nil {
		a.Text = plain(string(*s.Description))
	}
	if a.Updated.IsZero() {
		a.Updated = s.Created.Time
	}
	return a
}

// The routes of assets: newer builds have another one, and other fields.
const (
	newAssets = "asset_assets"
	oldAssets = "assets"
)

// Systems implements ticketing.Inventory with the assets. Which route a build
// has shows in its answer. Without a licence for assets there are none.
func (t *tool) Systems(ctx context.Context, at string) ([]ticketing.System, string, error) {
	route, from, known := strings.Cut(at, ".")
	if !known {
		route, from = newAssets, ""
		if t.cloud {
			route = oldAssets
		}
	}
	systems, next, err := t.systems(ctx, route, from)
	if !known && route == newAssets && errors.Is(err, ticketing.ErrNotFound) {
		route = oldAssets
		systems, next, err = t.systems(ctx, route, from)
	}
	if has(err, codeUnlicensed) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("servicedeskplus: list %s from %q: %w", route, at, err)
	}
	if next != "" {
		next = route + "." + next
	}
	return systems, next, nil
}

func (t *tool) systems(ctx context.Context, route, from string) ([]ticketing.System, string, error) {
	start, err := row(from)
	if err != nil || (route != newAssets && route != oldAssets) {
		return nil, "", fmt.Errorf("%w: cursor %.40q is not one of this listing", ticketing.ErrRejected, route+"."+from)
	}
	var a struct {
		listed
		New []asset `json:"asset_assets"`
		Old []asset `json:"assets"`
	}
	if err := t.read(ctx, http.MethodGet, route, page(start), &a); err != nil {
		return nil, "", err
	}
	rows := slices.Concat(a.New, a.Old)
	var systems []ticketing.System
	for _, r := range rows {
		if !digits(string(r.ID)) {
			continue
		}
		s := t.system(r)
		if route == oldAssets && len(s.Addresses) == 0 { // the old format has them in the details
			if s, err = t.assetDetails(ctx, s); err != nil {
				return nil, "", err
			}
		}
		systems = append(systems, s)
	}
	return systems, following(start, len(rows), a.more()), nil
}

// assetDetails reads the addresses that a list left out; s as it is where the
// asset is gone by now.
func (t *tool) assetDetails(ctx context.Context, s ticketing.System) (ticketing.System, error) {
	var a struct {
		Asset asset `json:"asset"`
	}
	err := t.read(ctx, http.MethodGet, oldAssets+"/"+s.Key, nil, &a)
	if errors.Is(err, ticketing.ErrNotFound) || has(err, codeForbidden) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("asset %s: %w", s.Key, err)
	}
	s.Addresses = t.system(a.Asset).Addresses
	return s, nil
}

func (t *tool) system(a asset) ticketing.System {
	account := a.fields.at(t.account)
	s := ticketing.System{
		Key:      string(a.ID),
		Hostname: line(string(a.Name)),
		Role:     string(a.Module),
		Client:   account,
		Location: string(a.Site),
		Account:  account,
	}
	if a.ProductType != "" {
		s.Role = string(a.ProductType)
	}
	told := []text{a.PrimaryIP, a.IPAddress}
	for _, adapter := range a.Adapters {
		told = append(told, adapter.IPAddress)
	}
	for _, addresses := range told {
		s.Addresses = append(s.Addresses, list(line(string(addresses)))...)
	}
	return s
}

// row reads the cursor of a simple listing: the number of its next row.
func row(at string) (int, error) {
	if at == "" {
		return 1, nil
	}
	start, err := strconv.Atoi(at)
	if err != nil || start < 1 {
		return 0, fmt.Errorf("%w: cursor %.40q is not one of this listing", ticketing.ErrRejected, at)
	}
	return start, nil
}

// following gives the cursor of the next page, "" after the last. A list that
// says it goes on, without rows, has ended.
func following(start, rows int, more bool) string {
	if !more || rows == 0 {
		return ""
	}
	return strconv.Itoa(start + rows)
}
