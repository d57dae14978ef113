package lambda_test

import (
	"testing"
	"time"

	"github.com/deskhand/deskhand/localstack/lambdaruntime"
	"github.com/deskhand/deskhand/shared/catalogue"
	"github.com/deskhand/deskhand/shared/ticketing"
)

func TestATickSendsOneMessagePerScheduleAndTenant(t *testing.T) {
	t.Parallel()
	w := build(t)
	f := w.deploy("catalogue")
	tick := lambdaruntime.Schedule{Name: "tick", Function: f}
	for range 3 {
		if err := tick.Fire(t.Context(), time.Now()); err != nil {
			t.Fatalf("%v\n%s", err, w.log)
		}
	}
	messages, err := w.library.Peek(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	sent := map[string]int{}
	ids := map[string]bool{}
	for _, m := range messages {
		if ids[m.ID] {
			t.Errorf("message %s was sent twice", m.ID)
		}
		ids[m.ID] = true
		sent[string(m.Tenant)+" "+m.Kind]++
	}
	for id := range w.desks {
		for _, s := range catalogue.Schedules() {
			n := sent[string(id)+" "+s.Name]
			if n != 1 && (s.Every > time.Minute || n > 3) { // a minute may have begun
				t.Errorf("%d messages %s for %s, want 1", n, s.Name, id)
			}
		}
	}
}

func TestTheCatalogueWorksOnItsQueueAndDrainsOnSIGTERM(t *testing.T) {
	t.Parallel()
	w := build(t)
	for id, d := range w.desks {
		d.AddArticle(ticketing.Article{Key: "31", Title: "Clear a stuck print queue of " + string(id), Text: "Stop the spooler, empty the folder, start the spooler."})
	}
	f := w.deploy("catalogue")
	stop := w.attach(w.library, f, lambdaruntime.Mapping{Concurrency: 2})
	if err := (lambdaruntime.Schedule{Name: "tick", Function: f}).Fire(t.Context(), time.Now()); err != nil {
		t.Fatalf("%v\n%s", err, w.log)
	}
	w.eventually("the articles of both are known", 30*time.Second, func() bool {
		var tenants int
		err := w.owner.QueryRow(t.Context(), "SELECT count(DISTINCT tenant_id) FROM articles WHERE title LIKE '%' || tenant_id").Scan(&tenants)
		return err == nil && tenants == 2
	})
	w.empty(w.library)
	stop()
	running := f.Stats().Instances
	f.Close()
	if s := f.Stats(); running == 0 || s.Drained != running {
		t.Errorf("%d of %d instances ended by themselves after SIGTERM", s.Drained, running)
	}
}
