package audit

import (
	"fmt"
	"strings"
)

// The critical operations. Calls to other systems are in the log alone
// (operation "outgoing_call"), with the same correlation id. Operations says when
// each is recorded.
const (
	WebhookReceived      Operation = "webhook_received"
	EnhancementStarted   Operation = "enhancement_started"
	NoteWritten          Operation = "note_written"
	EnhancementCompleted Operation = "enhancement_completed"
	EnhancementFailed    Operation = "enhancement_failed"
	EventDiscarded       Operation = "event_discarded"
	FeedbackGiven        Operation = "feedback_given"
	TenantAdded          Operation = "tenant_added"
	TenantChanged        Operation = "tenant_changed"
	TenantDisabled       Operation = "tenant_disabled"
	TenantEnabled        Operation = "tenant_enabled"
	ConnectionAdded      Operation = "connection_added"
	ConnectionChanged    Operation = "connection_changed"
	ConnectionDisabled   Operation = "connection_disabled"
	ConnectionEnabled    Operation = "connection_enabled"
	SecretRotated        Operation = "secret_rotated"
	SecretRetired        Operation = "secret_retired"
	TokenAdded           Operation = "token_added"
	TokenRevoked         Operation = "token_revoked"
	HistoryImported      Operation = "history_imported"
	HistoryPreviewed     Operation = "history_previewed"
	JobExplained         Operation = "job_explained"
	JobReplayed          Operation = "job_replayed"
	TrailExported        Operation = "trail_exported"
	TenantExported       Operation = "tenant_exported"
	TenantErased         Operation = "tenant_erased"
)

// Recorded says of an operation when the trail has it, and how it can have ended.
type Recorded struct {
	Operation Operation
	Ended     []Status
	When      string // Markdown
}

// Operations are all operations but the security events, whose names are those
// of the events, and which are blocked.
var Operations = []Recorded{
	{WebhookReceived, []Status{Accepted}, "a worker sees the job of a genuine webhook, or of a replay, for the first time: the webhook itself waits for the queue alone. What was refused at the door is in the log only (`security_event`): whose it was is not proved"},
	{EnhancementStarted, []Status{Started}, "a try took the ticket's lease and reads the ticket"},
	{NoteWritten, []Status{Started, Success}, "before the tool is told, and once it has the note"},
	{EnhancementCompleted, []Status{Success, Skipped, Shadow}, "the job is done; skipped: no note was needed; shadow: none may be written"},
	{EnhancementFailed, []Status{Retry, Failure}, "another try is due, or it was the last"},
	{EventDiscarded, []Status{Dropped}, "what the queue delivered was dropped: the ticket is gone, or is another tenant's by now"},
	{FeedbackGiven, []Status{Success}, "somebody voted on a note by its link, or changed the vote; what they called wrong is not shown for the ticket again"},
	{TenantAdded, []Status{Success}, "a tenant was added"},
	{TenantChanged, []Status{Success}, "its name or settings changed"},
	{TenantDisabled, []Status{Success}, "it is not served any more; its data stay"},
	{TenantEnabled, []Status{Success}, "it is served again"},
	{ConnectionAdded, []Status{Success}, "a connection was added; like all of connections, for each tenant that it served before or serves now"},
	{ConnectionChanged, []Status{Success}, "its credentials, signing secrets, profile or routes may be others, or were sealed under another key"},
	{ConnectionDisabled, []Status{Success}, "its webhooks are refused"},
	{ConnectionEnabled, []Status{Success}, "its webhooks are taken again"},
	{SecretRotated, []Status{Success}, "it has a new signing secret; the one before is valid beside it"},
	{SecretRetired, []Status{Success}, "its older signing secrets ended"},
	{TokenAdded, []Status{Success}, "an API token was made; of one for all tenants the trail of the installation tells"},
	{TokenRevoked, []Status{Success}, "an API token was ended; likewise"},
	{HistoryImported, []Status{Success, Failure}, "past tickets were imported"},
	{HistoryPreviewed, []Status{Success}, "somebody was given a page of past tickets and of what would have been shown for them"},
	{JobExplained, []Status{Success}, "somebody was given the record of a job: its note, and how it came to be"},
	{JobReplayed, []Status{Started, Accepted}, "somebody had a job done again; started: only to be shown what its note would be now; accepted: it is queued"},
	{TrailExported, []Status{Success}, "somebody was given the audit trail"},
	{TenantExported, []Status{Started, Success}, "somebody asked for a copy of all rows of the tenant, and was given it whole"},
	{TenantErased, []Status{Success}, "the tenant was erased: in the log, and in the table `erasures` without its name, for its own trail is gone with it"},
}

// Markdown is the table of the operations in docs/runbooks/audit.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| operation | status | when |\n| --- | --- | --- |\n")
	for _, o := range Operations {
		ended := make([]string, len(o.Ended))
		for i, s := range o.Ended {
			ended[i] = "`" + string(s) + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", o.Operation, strings.Join(ended, ", "), o.When)
	}
	b.WriteString("| names of security events | `blocked` | what the enhancer stopped, such as another tenant's data in a note |\n")
	return b.String()
}
