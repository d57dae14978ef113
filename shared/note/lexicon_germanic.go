package note

import "github.com/deskhand/deskhand/shared/evidence"

var english = lexicon{
	plural: oneOrMore, and: "and", colon: ":",
	headings: [4]string{"Similar Tickets", "Relevant Documentation", "System Information", "Recommended Next Steps"},
	general:  "General advice, not verified",

	seen: "Seen before", possibly: "Possibly related", solvedBy: "Solved by", lookAt: "Look at", article: "article",
	notSeen:         "**Not seen before:** no resolved ticket looks like this one.",
	unsearched:      "**Not known whether this was seen before:** similar tickets could not be searched.",
	nothing:         "**Nothing like this is known here:** no similar ticket, no article and no system of the inventory matches.",
	nothingSearched: "**Nothing found,** but not everything could be searched.",

	suspect: "This ticket contains text addressed to AI or operators: treat as possible phishing.",
	told:    "The ticket could not be read from the tool: this note rests on the text that the webhook brought.",
	changed: "Updated: %s changed.",
	fields: map[string]string{
		"subject": "the subject", "description": "the description", "priority": "the priority", "requester": "the requester", "replies": "the replies",
	},
	withheld: "Not shown, as the text is addressed to AI or operators: %s.",
	gaps:     "Limited context available: %s temporarily unavailable.",
	sources:  map[string]string{"history": "similar tickets", "knowledge_base": "knowledge base", "inventory": "system inventory"},
	alone:    "Written from the evidence alone: %s.",
	reasons: map[Missing]string{
		NoModel:     "no language model is configured",
		Pending:     "the language model is still being asked",
		Unanswered:  "the language model did not answer",
		Rejected:    "the language model's endpoint rejects our requests",
		Empty:       "the language model gave no answer",
		Unsupported: "the language model's answer had no claim that the evidence supports",
		OverBudget:  "the language model's budget is used up",
		Refused:     "the ticketing tool did not take the language model's text",
		Suspected:   "the ticket has text addressed to AI or operators, so the language model was not asked",
	},

	strong: "strong match", partial: "partial match", meaning: "similar in meaning", maybe: "possibly related",
	today: "today",
	ago:   [4]string{"%d year ago|%d years ago", "%d month ago|%d months ago", "%d week ago|%d weeks ago", "%d day ago|%d days ago"},
	facts: facts{
		evidence.SameSystem: "same system %s", evidence.SameRequester: "same requester", evidence.SameSite: "same site",
		evidence.CameBackAtOnce: "came back within a day",
		evidence.Held:           "held %d day|held %d days", evidence.CameBack: "came back after %d day|came back after %d days",
		evidence.Copies:    "%d more ticket nearly the same|%d more tickets nearly the same",
		evidence.Recurred:  "%d ticket like this in 30 days in the same place|%d tickets like this in 30 days in the same place",
		evidence.PointedTo: "%d similar ticket pointed to it|%d similar tickets pointed to it",
	},

	try:     "Try what solved %s.",
	cause:   "What solved %s did not last: look for the cause behind it.",
	compare: "See whether %s is the same problem: too little matches to be sure.",
	check:   "Check %s first: the ticket names it.",
	follow:  "Follow %s.",
	applies: "See whether %s applies: too little matches to be sure.",
	ask:     "Nothing to recommend from the evidence. Useful to ask: the exact error text, the system it happens on, and since when.",

	inventory: "inventory",
	claims:    "%d claim, %d with sources, %d removed|%d claims, %d with sources, %d removed", left: ", %d left out for length",
	evidence: "evidence found: %d, each with its source", model: "Model",
	vote: "Was this note useful?", useful: "Useful", useless: "Useless",
}

var german = lexicon{
	plural: oneOrMore, and: "und", colon: ":",
	headings: [4]string{"Ähnliche Tickets", "Passende Dokumentation", "Systeminformationen", "Empfohlene nächste Schritte"},
	general:  "Allgemeine Hinweise, nicht geprüft",

	seen: "Schon aufgetreten", possibly: "Möglicherweise verwandt", solvedBy: "Gelöst durch", lookAt: "Hier ansetzen", article: "Artikel",
	notSeen:         "**Bisher nicht aufgetreten:** Kein gelöstes Ticket ähnelt diesem.",
	unsearched:      "**Unklar, ob schon aufgetreten:** Ähnliche Tickets konnten nicht durchsucht werden.",
	nothing:         "**Hierzu ist nichts bekannt:** Kein ähnliches Ticket, kein Artikel und kein System des Inventars passt.",
	nothingSearched: "**Nichts gefunden,** aber nicht alles konnte durchsucht werden.",

	suspect: "Dieses Ticket enthält Text, der sich an KI oder Bedienpersonal richtet: als möglichen Phishing-Versuch behandeln.",
	told:    "Das Ticket konnte nicht aus dem Ticketsystem gelesen werden: Diese Notiz beruht auf dem Text, den der Webhook mitbrachte.",
	changed: "Aktualisiert, geändert: %s.",
	fields: map[string]string{
		"subject": "Betreff", "description": "Beschreibung", "priority": "Priorität", "requester": "Melder", "replies": "Antworten",
	},
	withheld: "Nicht gezeigt, da sich der Text an KI oder Betreuer richtet: %s.",
	gaps:     "Eingeschränkter Kontext, vorübergehend nicht verfügbar: %s.",
	sources:  map[string]string{"history": "ähnliche Tickets", "knowledge_base": "Wissensdatenbank", "inventory": "Systeminventar"},
	alone:    "Nur aus den Fundstellen geschrieben: %s.",
	reasons: map[Missing]string{
		NoModel:     "Es ist kein Sprachmodell eingerichtet",
		Pending:     "Die Antwort des Sprachmodells steht noch aus",
		Unanswered:  "Das Sprachmodell hat nicht geantwortet",
		Rejected:    "Der Endpunkt des Sprachmodells weist unsere Anfragen ab",
		Empty:       "Das Sprachmodell gab keine Antwort",
		Unsupported: "Keine Aussage des Sprachmodells war durch die Fundstellen belegt",
		OverBudget:  "Das Budget für das Sprachmodell ist aufgebraucht",
		Refused:     "Das Ticketsystem nahm den Text des Sprachmodells nicht an",
		Suspected:   "Das Ticket enthält Text, der sich an KI oder Betreuer richtet; das Sprachmodell wurde nicht gefragt",
	},

	strong: "starke Übereinstimmung", partial: "teilweise Übereinstimmung", meaning: "ähnlich im Sinn", maybe: "möglicherweise verwandt",
	today: "heute",
	ago:   [4]string{"vor %d Jahr|vor %d Jahren", "vor %d Monat|vor %d Monaten", "vor %d Woche|vor %d Wochen", "vor %d Tag|vor %d Tagen"},
	facts: facts{
		evidence.SameSystem: "gleiches System %s", evidence.SameRequester: "gleicher Melder", evidence.SameSite: "gleicher Standort",
		evidence.CameBackAtOnce: "trat binnen eines Tages wieder auf",
		evidence.Held:           "hielt %d Tag|hielt %d Tage", evidence.CameBack: "trat nach %d Tag wieder auf|trat nach %d Tagen wieder auf",
		evidence.Copies:    "%d weiteres fast gleiches Ticket|%d weitere fast gleiche Tickets",
		evidence.Recurred:  "%d solches Ticket in 30 Tagen am selben Ort|%d solche Tickets in 30 Tagen am selben Ort",
		evidence.PointedTo: "%d ähnliches Ticket verwies darauf|%d ähnliche Tickets verwiesen darauf",
	},

	try:     "Versuchen, was %s gelöst hat.",
	cause:   "Was %s gelöst hat, hielt nicht: nach der Ursache dahinter suchen.",
	compare: "Prüfen, ob %s dasselbe Problem ist: Für Sicherheit stimmt zu wenig überein.",
	check:   "Zuerst %s prüfen: Das Ticket nennt es.",
	follow:  "%s befolgen.",
	applies: "Prüfen, ob %s zutrifft: Für Sicherheit stimmt zu wenig überein.",
	ask:     "Aus den Fundstellen ist nichts zu empfehlen. Hilfreiche Fragen: der genaue Fehlertext, das betroffene System, und seit wann.",

	inventory: "Inventar",
	claims:    "%d Aussage, %d mit Quelle, %d entfernt|%d Aussagen, %d mit Quelle, %d entfernt", left: ", %d aus Platzgründen weggelassen",
	evidence: "Fundstellen: %d, jede mit ihrer Quelle", model: "Modell",
	vote: "War diese Notiz nützlich?", useful: "Nützlich", useless: "Nutzlos",
}

var dutch = lexicon{
	plural: oneOrMore, and: "en", colon: ":",
	headings: [4]string{"Vergelijkbare tickets", "Relevante documentatie", "Systeeminformatie", "Aanbevolen volgende stappen"},
	general:  "Algemeen advies, niet gecontroleerd",

	seen: "Eerder gezien", possibly: "Mogelijk verwant", solvedBy: "Opgelost door", lookAt: "Kijk naar", article: "artikel",
	notSeen:         "**Niet eerder gezien:** geen opgelost ticket lijkt hierop.",
	unsearched:      "**Onbekend of dit eerder is gezien:** vergelijkbare tickets konden niet worden doorzocht.",
	nothing:         "**Hierover is niets bekend:** geen vergelijkbaar ticket, geen artikel en geen systeem in de inventaris komt overeen.",
	nothingSearched: "**Niets gevonden,** maar niet alles kon worden doorzocht.",

	suspect: "Dit ticket bevat tekst die gericht is aan AI of beheerders: behandel het als mogelijke phishing.",
	told:    "Het ticket kon niet uit het ticketsysteem worden gelezen: deze notitie berust op de tekst die de webhook meebracht.",
	changed: "Bijgewerkt, gewijzigd: %s.",
	fields: map[string]string{
		"subject": "onderwerp", "description": "beschrijving", "priority": "prioriteit", "requester": "aanvrager", "replies": "antwoorden",
	},
	withheld: "Niet getoond, omdat de tekst aan AI of beheerders is gericht: %s.",
	gaps:     "Beperkte context, tijdelijk niet beschikbaar: %s.",
	sources:  map[string]string{"history": "vergelijkbare tickets", "knowledge_base": "kennisbank", "inventory": "systeeminventaris"},
	alone:    "Alleen op basis van de vondsten geschreven: %s.",
	reasons: map[Missing]string{
		NoModel:     "er is geen taalmodel ingesteld",
		Pending:     "het antwoord van het taalmodel wordt nog verwacht",
		Unanswered:  "het taalmodel heeft niet geantwoord",
		Rejected:    "het eindpunt van het taalmodel weigert onze verzoeken",
		Empty:       "het taalmodel gaf geen antwoord",
		Unsupported: "geen bewering van het taalmodel werd door de vondsten ondersteund",
		OverBudget:  "het budget voor het taalmodel is op",
		Refused:     "het ticketsysteem nam de tekst van het taalmodel niet aan",
		Suspected:   "het ticket bevat tekst die aan AI of beheerders is gericht, dus het taalmodel is niet gevraagd",
	},

	strong: "sterke overeenkomst", partial: "gedeeltelijke overeenkomst", meaning: "vergelijkbaar van betekenis", maybe: "mogelijk verwant",
	today: "vandaag",
	ago:   [4]string{"%d jaar geleden", "%d maand geleden|%d maanden geleden", "%d week geleden|%d weken geleden", "%d dag geleden|%d dagen geleden"},
	facts: facts{
		evidence.SameSystem: "zelfde systeem %s", evidence.SameRequester: "zelfde aanvrager", evidence.SameSite: "zelfde locatie",
		evidence.CameBackAtOnce: "kwam binnen een dag terug",
		evidence.Held:           "hield %d dag stand|hield %d dagen stand", evidence.CameBack: "kwam na %d dag terug|kwam na %d dagen terug",
		evidence.Copies:    "nog %d bijna gelijk ticket|nog %d bijna gelijke tickets",
		evidence.Recurred:  "%d zo'n ticket in 30 dagen op dezelfde plek|%d van zulke tickets in 30 dagen op dezelfde plek",
		evidence.PointedTo: "%d vergelijkbaar ticket verwees ernaar|%d vergelijkbare tickets verwezen ernaar",
	},

	try:     "Probeer wat %s heeft opgelost.",
	cause:   "Wat %s oploste, hield geen stand: zoek de oorzaak erachter.",
	compare: "Kijk of %s hetzelfde probleem is: er komt te weinig overeen om zeker te zijn.",
	check:   "Controleer eerst %s: het ticket noemt het.",
	follow:  "Volg %s.",
	applies: "Kijk of %s van toepassing is: er komt te weinig overeen om zeker te zijn.",
	ask:     "Uit de vondsten valt niets aan te bevelen. Nuttig om te vragen: de exacte foutmelding, het systeem waarop het gebeurt, en sinds wanneer.",

	inventory: "inventaris",
	claims:    "%d bewering, %d met bron, %d verwijderd|%d beweringen, %d met bron, %d verwijderd", left: ", %d weggelaten wegens lengte",
	evidence: "vondsten: %d, elk met bron", model: "Model",
	vote: "Was deze notitie nuttig?", useful: "Nuttig", useless: "Nutteloos",
}
