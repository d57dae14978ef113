// Command webhook takes the tools' webhooks and puts their events on the queue.
package main

import "github.com/deskhand/deskhand/shared/app"

func main() { app.Main("webhook", (*app.App).RunWebhook) }
