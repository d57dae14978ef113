package ticket_test

import (
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deskhand/deskhand/shared/ticket"
)

var realData = flag.String("data", "", "folder with real tickets (make eval): at most 1 % of them may be taken for noise")

// noise is what Noise has to say of tickets.
var noise = map[string][]ticket.Ticket{
	"empty": {
		{},
		{Subject: "  ", Description: "\n - . \n"},
		{Subject: "(no subject)"},
		{Subject: "Kein Betreff"},
		{Subject: "<Sans objet>", Description: "--"},
		{Subject: "[External] No subject"},
		{Subject: "???", Description: "…"},
	},
	"a bounce": {
		{Subject: "anything", Description: "Hello", Email: "MAILER-DAEMON@mx.example"},
		{Subject: "Undeliverable: Invoice 12", Description: "Delivery has failed to these recipients or groups: a@b.example"},
		{Subject: "Undeliverable: Invoice 12", Email: "postmaster@client.example"},
		{Subject: "Undelivered Mail Returned to Sender", Description: "This is the mail system at host mx.example.\nI'm sorry"},
		{Subject: "Delivery Status Notification (Failure)", Email: "bounces+12-ab@mx.example"},
		{Subject: "Mail delivery failed: returning message to sender", Description: "This message was created automatically by mail delivery software."},
		{Subject: "Unzustellbar: Rechnung", Email: "postmaster@kunde.example"},
		{Subject: "Non remis : Facture", Email: "MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@client.example"},
	},
	"an automatic reply": {
		{Subject: "Automatic reply: Printer on floor 3", Description: "I am away until Monday.", Email: "ana@client.example"},
		{Subject: "AutoReply: x"},
		{Subject: "Out of Office: Ana Ruiz"},
		{Subject: "Out of Office AutoReply: Printer"},
		{Subject: "[EXT] Automatische Antwort: Drucker"},
		{Subject: "Abwesenheitsnotiz: Drucker"},
		{Subject: "Réponse automatique : Imprimante"},
		{Subject: "Respuesta automática: Impresora"},
		{Subject: "Risposta automatica: Stampante"},
		{Subject: "Resposta automática: Impressora"},
		{Subject: "Automatisch antwoord: Printer"},
		{Subject: "Odpowiedź automatyczna: Drukarka"},
		{Subject: "Автоматический ответ: Принтер"},
		{Subject: "自動応答: プリンター"},
	},
	"a receipt": {
		{Subject: "Read: Printer", Description: "Your message was read on Monday, 2 March 2026."},
		{Subject: "Gelesen: Drucker", Description: "Ihre Nachricht wurde am 2.3.2026 gelesen."},
		{Subject: "Delivered: Printer"},
		{Subject: "Lu : Imprimante", Description: "Votre message a été lu le 2 mars."},
	},
	"an answer to an invitation": {
		{Subject: "Accepted: Team meeting"},
		{Subject: "Declined: Review", Description: "Ana Ruiz has declined this invitation."},
		{Subject: "Zugesagt: Besprechung", Description: "Wann: Montag\nWo: Raum 3"},
		{Subject: "Accepté : Réunion"},
		{Subject: "Canceled: Review", Description: "When: Monday 10:00"},
	},
	"": {
		{Subject: "Printer on floor 3 stuck", Description: "All jobs wait."},
		{Subject: "help"},
		{Description: "VPN"},
		{Subject: "(no subject)", Description: "Outlook hangs"},
		{Subject: "No subject line in mails from the scanner"},
		{Subject: "Ошибка 500"},
		{Subject: "打印机坏了"},
		{Subject: "??", Replies: []string{"It is the printer"}},
		// What people write about such mail, and what they pass on.
		{Subject: "Undeliverable: all mail to globex.example", Description: "Since noon each of our mails comes back.", Email: "ana@client.example"},
		{Subject: "FW: Undeliverable: Invoice 12", Description: "Delivery has failed to these recipients", Email: "ana@client.example"},
		{Subject: "Mail delivery failed: returning message to sender", Description: "I get this error. How do I fix it?"},
		{Subject: "Out of office is not sent", Description: "Automatic reply: is switched on"},
		{Subject: "Out of office"},
		{Subject: "Automatic reply does not work"},
		{Subject: "Re: Automatic reply: Printer", Description: "He is away, who helps me?"},
		{Subject: "Question about automatic reply: how?"},
		{Subject: "Declined: card payments at till 4", Description: "Every card is declined since the update."},
		{Subject: "Canceled: backup jobs on SRV-02", Description: "All are shown as canceled."},
		{Subject: "Read: only share on FS01", Description: "The folder is read only."},
		{Subject: "Accepted by nobody"},
		{Subject: "noreply mails are blocked", Email: "noreply@client.example"},
		{Subject: "Disk almost full on SRV-02", Email: "noreply@monitoring.example"},
		{Subject: "Mailbox full", Email: "postmaster@client.example"},
	},
}

func TestNoiseIsWhatNoPersonWrote(t *testing.T) {
	t.Parallel()
	for want, tickets := range noise {
		for _, tk := range tickets {
			if got := ticket.Noise(tk); got != want {
				t.Errorf("%q of %q: %q, want %q", tk.Subject, tk.Email, got, want)
			}
		}
	}
}

// TestRealTicketsAreNotTakenForNoise counts in tickets and bug reports that
// people wrote. They have no senders, so what goes by them is not seen here.
func TestRealTicketsAreNotTakenForNoise(t *testing.T) {
	t.Parallel()
	if *realData == "" {
		return // make eval names a folder
	}
	all, taken := 0, 0
	look := func(subject, text string) {
		all++
		if why := ticket.Noise(ticket.Ticket{Subject: subject, Description: text}); why != "" {
			taken++
			t.Logf("%s: %.100q", why, subject)
		}
	}
	err := filepath.WalkDir(*realData, func(path string, _ os.DirEntry, err error) error {
		switch name := filepath.Base(path); {
		case err != nil:
			return err
		case strings.HasPrefix(name, "tickets_") && strings.HasSuffix(name, ".jsonl.gz"):
			return eachLine(path, look)
		case strings.HasSuffix(name, ".csv"):
			return eachRow(path, look)
		}
		return nil
	})
	if err != nil || all < 1000 {
		t.Fatalf("%d tickets in %s, %v: want a folder with 1,000 or more", all, *realData, err)
	}
	t.Logf("noise: %d of %d real tickets (%.3f %%)", taken, all, 100*float64(taken)/float64(all))
	if 100*taken >= all {
		t.Error("that is 1 % or more")
	}
}

func eachLine(path string, look func(subject, text string)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	plain, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	for d := json.NewDecoder(plain); ; {
		var line struct{ Title, Body string }
		if err := d.Decode(&line); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		look(line.Title, line.Body)
	}
}

// eachRow reads a table of bugs, by the names of its columns; others have none.
func eachRow(path string, look func(subject, text string)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) == 0 {
		return err
	}
	column := func(names ...string) int {
		return slices.IndexFunc(rows[0], func(name string) bool { return slices.Contains(names, strings.ToLower(name)) })
	}
	subject, text := column("summary", "title"), column("description", "body")
	if subject < 0 || text < 0 {
		return nil
	}
	for _, row := range rows[1:] {
		look(row[subject], row[text])
	}
	return nil
}
