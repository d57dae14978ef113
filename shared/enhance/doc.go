// Package enhance is the product: it takes the event of a ticket, reads the
// ticket, gathers evidence, asks the model, checks the answer against the
// evidence, and puts one internal note on the ticket.
package enhance
