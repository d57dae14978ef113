package receipts

func quoted(raw string) []string { return nil }
