package ticket

import (
	"regexp"
	"strings"
	"unicode"
)

// Noise says what a ticket is that no person wrote for a person: "an automatic
// reply", "a bounce", "a receipt", "an answer to an invitation", or "empty"; ""
// for all others. It goes by the exact subjects that mail systems write, in the
// languages that they write them in, and where people write such words, too, by
// the text or the sender besides: a ticket that is wrongly left out costs more
// than a needless note.
func Noise(t Ticket) string {
	subject := strings.ToLower(tags.ReplaceAllString(fold(t.Subject), ""))
	text := strings.ToLower(t.Body())
	sender, _, _ := strings.Cut(strings.ToLower(t.Email), "@")
	switch {
	case wordless(text) && (wordless(subject) || subjectless.MatchString(subject)):
		return "empty"
	case daemon.MatchString(sender),
		bounced.MatchString(subject) && (system.MatchString(sender) || sender == "" && undelivered.MatchString(text)):
		return "a bounce"
	case automatic.MatchString(subject):
		return "an automatic reply"
	case receipt.MatchString(subject) && (wordless(text) || wasRead.MatchString(text)):
		return "a receipt"
	case answered.MatchString(subject) && (wordless(text) || invitation.MatchString(text)):
		return "an answer to an invitation"
	}
	return ""
}

func wordless(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
}

// tags are what gateways put before a subject: "[External] ".
var tags = regexp.MustCompile(`^(?:\[[^\]]{1,40}\]\s*)+`)

// The senders of bounces: those that send nothing else, and those that do.
var (
	daemon = regexp.MustCompile(`^(?:mailer-?daemon|mail-daemon|microsoftexchange[0-9a-f]{16,})$`)
	system = regexp.MustCompile(`^(?:postmaster|bounces?(?:[-+].*)?|no-?reply|do-?not-?reply)$`)
)

// subjectless is what mail programs write where a subject is missing.
var subjectless = whole(
	"no subject", "without subject", "kein betreff", "ohne betreff", "aucun objet", "sans objet", "pas d'objet", "sin asunto", "senza oggetto", "nessun oggetto",
	"sem assunto", "geen onderwerp", "brak tematu", "bez tematu", "inget ämne", "intet emne", "ingen emne", "ei aihetta", "без темы", "件名なし", "無題", "无主题",
)

// bounced are the subjects of mail that could not be delivered, and undelivered
// is what the text of such mail says.
var undelivered = regexp.MustCompile(`final-recipient:|diagnostic-code:|reporting-mta:|created automatically by mail delivery|delivery has failed to these recipients|` +
	`this is the mail system at host|this is an automatically generated delivery status|fehler bei der nachrichtenzustellung|konnte nicht zugestellt werden an|` +
	`échec de la remise pour ces destinataires|error de entrega a estos destinatarios|recapito non riuscito`)

var bounced = regexp.MustCompile(`^(?:` +
	`(?:undeliverable|undelivered|nicht zustellbar|unzustellbar|non remis|non distribuable|no se puede entregar|non recapitabile|` +
	`não é possível entregar|não entregue|onbestelbaar|niet te bezorgen|nie można dostarczyć|kan inte levereras|kan ikke leveres|недоставлено|配信不能|未送达) ?[:：]` +
	`|undelivered mail returned to sender|returned mail: |mail delivery (?:failed|failure|subsystem)|failure notice$|delivery (?:has )?failed\b.*\bpermanent` +
	`|delivery status notification \(|delivery failure ?[:：]|delivery notification: delivery has failed|message delivery failure|warning: message .* delayed|` +
	`mail system error - returned mail|übermittlungsfehler|échec de la remise|notification d'état de remise)`)

// automatic are the subjects of automatic replies and notes of absence. The
// colon tells them from what people write about them.
var automatic = regexp.MustCompile(`^(?:` + strings.Join([]string{
	`auto(?:matic|mated)?[- ]?(?:reply|response)`, `autoreply`, `out[- ]of[- ](?:the[- ])?office(?: auto-?reply| message| notification)?`,
	`automatische antwort`, `abwesenheits(?:notiz|nachricht|meldung)`, `automatische abwesenheitsnotiz`,
	`réponse automatique`, `message d'absence`, `absence du bureau`, `respuesta automática`, `fuera de (?:la )?oficina`,
	`risposta automatica`, `fuori (?:sede|ufficio)`, `resposta automática`, `fora do escritório`, `ausência temporária`,
	`automatisch antwoord`, `afwezigheids(?:bericht|melding)`, `odpowiedź automatyczna`, `automatyczna odpowiedź`, `poza biurem`,
	`automatiskt svar`, `automatisk svar`, `autosvar`, `automaattinen vastaus`, `automatická odpověď`, `automatikus válasz`, `răspuns automat`,
	`otomatik yanıt`, `автоматический ответ`, `автоответ`, `автоматична відповідь`, `αυτόματη απάντηση`, `自動応答`, `自動返信`, `自动答复`, `自动回复`, `自動回覆`, `자동 회신`,
}, "|") + `) ?[:：]`)

// receipt are the subjects of receipts, which people write, too; wasRead is what
// the text of one says.
var (
	receipt = regexp.MustCompile(`^(?:read|not read|delivered|relayed|gelesen|ungelesen|zugestellt|lu|non lu|remis|leído|no leído|entregado|letto|non letto|` +
		`consegnato|lida|não lida|entregue|gelezen|bezorgd|przeczytano|dostarczono) ?[:：]`)
	wasRead = regexp.MustCompile(`was read on|was deleted without being read|has been delivered to the following|delivery to these recipients|` +
		`wurde gelesen|wurde am .{1,60} gelesen|ungelesen gelöscht|wurde an die folgenden empfänger|a été lu|a été supprimé sans être lu|se leyó|fue leído|` +
		`è stato letto|foi lida|is gelezen|został[ao] przeczytan`)
)

// answered are the subjects of answers to invitations, which people write, too;
// invitation is what the text of one says.
var (
	answered = regexp.MustCompile(`^(?:accepted|declined|tentative|tentatively accepted|cancell?ed|new time proposed|zugesagt|abgelehnt|mit vorbehalt|abgesagt|` +
		`accepté|refusé|provisoire|annulé|aceptad[oa]|rechazad[oa]|provisional|cancelad[oa]|accettat[oa]|rifiutat[oa]|provvisorio|annullat[oa]|` +
		`aceit[oe]|recusad[oa]|provisório|geaccepteerd|geweigerd|voorlopig|geannuleerd|zaakceptowano|odrzucono|wstępnie|anulowano) ?[:：]`)
	invitation = regexp.MustCompile(`begin:vcalendar|has (?:accepted|declined|tentatively accepted|canceled|cancelled) this (?:invitation|meeting|event)|` +
		`(?:^|\n)\s*(?:when|wann|quand|cuándo|quando|wanneer|kiedy) ?: |hat diese einladung|a accepté cette invitation|ha aceptado esta invitación|ha accettato questo invito`)
)

// whole matches any of the texts, with nothing but brackets around it.
func whole(texts ...string) *regexp.Regexp {
	for i, text := range texts {
		texts[i] = regexp.QuoteMeta(text)
	}
	return regexp.MustCompile(`^[<(\[（【]?(?:` + strings.Join(texts, "|") + `)[>)\]）】]?$`)
}
