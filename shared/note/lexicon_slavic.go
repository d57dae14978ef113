package note

import "github.com/deskhand/deskhand/shared/evidence"

var polish = lexicon{
	plural: polishForm, and: "i", colon: ":",
	headings: [4]string{"Podobne zgłoszenia", "Powiązana dokumentacja", "Informacje o systemach", "Zalecane następne kroki"},
	general:  "Porady ogólne, niezweryfikowane",

	seen: "Było już wcześniej", possibly: "Być może powiązane", solvedBy: "Rozwiązanie", lookAt: "Sprawdź", article: "artykuł",
	notSeen:         "**Nie było wcześniej:** żadne rozwiązane zgłoszenie nie przypomina tego.",
	unsearched:      "**Nie wiadomo, czy było wcześniej:** nie udało się przeszukać podobnych zgłoszeń.",
	nothing:         "**Nic podobnego nie jest tu znane:** nie pasuje żadne zgłoszenie, żaden artykuł ani żaden system z inwentarza.",
	nothingSearched: "**Nic nie znaleziono,** ale nie wszystko udało się przeszukać.",

	suspect: "To zgłoszenie zawiera tekst skierowany do AI lub operatorów: należy je traktować jako możliwy phishing.",
	told:    "Nie udało się odczytać zgłoszenia z narzędzia: ta notatka opiera się na tekście przysłanym przez webhook.",
	changed: "Zaktualizowano, zmieniono: %s.",
	fields: map[string]string{
		"subject": "temat", "description": "opis", "priority": "priorytet", "requester": "zgłaszający", "replies": "odpowiedzi",
	},
	withheld: "Nie pokazano, ponieważ tekst jest skierowany do AI lub operatorów: %s.",
	gaps:     "Ograniczony kontekst, chwilowo niedostępne: %s.",
	sources:  map[string]string{"history": "podobne zgłoszenia", "knowledge_base": "baza wiedzy", "inventory": "inwentarz systemów"},
	alone:    "Napisano wyłącznie na podstawie znalezionych materiałów: %s.",
	reasons: map[Missing]string{
		NoModel:     "nie skonfigurowano modelu językowego",
		Pending:     "odpowiedź modelu językowego jest jeszcze oczekiwana",
		Unanswered:  "model językowy nie odpowiedział",
		Rejected:    "serwer modelu językowego odrzuca nasze zapytania",
		Empty:       "model językowy nie podał odpowiedzi",
		Unsupported: "żadne twierdzenie modelu językowego nie miało potwierdzenia w znalezionych materiałach",
		OverBudget:  "budżet na model językowy został wyczerpany",
		Refused:     "system zgłoszeń nie przyjął tekstu modelu językowego",
		Suspected:   "zgłoszenie zawiera tekst skierowany do AI lub operatorów, więc model językowy nie został zapytany",
	},

	strong: "silna zgodność", partial: "częściowa zgodność", meaning: "podobne znaczenie", maybe: "być może powiązane",
	today: "dzisiaj",
	ago: [4]string{
		"%d rok temu|%d lata temu|%d lat temu", "%d miesiąc temu|%d miesiące temu|%d miesięcy temu",
		"%d tydzień temu|%d tygodnie temu|%d tygodni temu", "%d dzień temu|%d dni temu",
	},
	facts: facts{
		evidence.SameSystem: "ten sam system %s", evidence.SameRequester: "ten sam zgłaszający", evidence.SameSite: "ta sama lokalizacja",
		evidence.CameBackAtOnce: "wróciło w ciągu jednego dnia",
		evidence.Held:           "pomogło na %d dzień|pomogło na %d dni", evidence.CameBack: "wróciło po %d dniu|wróciło po %d dniach",
		evidence.Copies:    "jeszcze %d prawie takie samo zgłoszenie|jeszcze %d prawie takie same zgłoszenia|jeszcze %d prawie takich samych zgłoszeń",
		evidence.Recurred:  "%d takie zgłoszenie w ciągu 30 dni w tym samym miejscu|%d takie zgłoszenia w ciągu 30 dni w tym samym miejscu|%d takich zgłoszeń w ciągu 30 dni w tym samym miejscu",
		evidence.PointedTo: "odsyłało do tego %d podobne zgłoszenie|odsyłały do tego %d podobne zgłoszenia|odsyłało do tego %d podobnych zgłoszeń",
	},

	try:     "Spróbować tego, co rozwiązało %s.",
	cause:   "To, co rozwiązało %s, nie wystarczyło na długo: poszukać przyczyny.",
	compare: "Sprawdzić, czy %s to ten sam problem: zgadza się zbyt mało, by mieć pewność.",
	check:   "Najpierw sprawdzić %s: jest wymieniony w zgłoszeniu.",
	follow:  "Postępować według: %s.",
	applies: "Sprawdzić, czy %s ma zastosowanie: zgadza się zbyt mało, by mieć pewność.",
	ask:     "Znalezione materiały niczego nie podpowiadają. Warto zapytać o: dokładną treść błędu, system, na którym występuje, i od kiedy.",

	inventory: "inwentarz",
	claims:    "twierdzenia: %d, ze źródłem: %d, usunięte: %d", left: ", pominięte z braku miejsca: %d",
	evidence: "znalezione materiały: %d, każdy ze źródłem", model: "Model",
	vote: "Czy ta notatka była przydatna?", useful: "Przydatna", useless: "Nieprzydatna",
}

var czech = lexicon{
	plural: czechForm, and: "a", colon: ":",
	headings: [4]string{"Podobné požadavky", "Související dokumentace", "Informace o systémech", "Doporučené další kroky"},
	general:  "Obecné rady, neověřené",

	seen: "Už se stalo", possibly: "Možná souvisí", solvedBy: "Řešení", lookAt: "Podívejte se na", article: "článek",
	notSeen:         "**Dosud se nestalo:** žádný vyřešený požadavek se tomuto nepodobá.",
	unsearched:      "**Není známo, zda se už stalo:** podobné požadavky se nepodařilo prohledat.",
	nothing:         "**Nic podobného tu není známo:** neodpovídá žádný požadavek, žádný článek ani žádný systém z inventáře.",
	nothingSearched: "**Nic nenalezeno,** ale nepodařilo se prohledat vše.",

	suspect: "Tento požadavek obsahuje text určený umělé inteligenci nebo obsluze: považujte jej za možný phishing.",
	told:    "Požadavek se nepodařilo načíst z nástroje: tato poznámka vychází z textu, který přinesl webhook.",
	changed: "Aktualizováno, změněno: %s.",
	fields: map[string]string{
		"subject": "předmět", "description": "popis", "priority": "priorita", "requester": "žadatel", "replies": "odpovědi",
	},
	withheld: "Nezobrazeno, protože text je určen AI nebo operátorům: %s.",
	gaps:     "Omezený kontext, dočasně nedostupné: %s.",
	sources:  map[string]string{"history": "podobné požadavky", "knowledge_base": "znalostní báze", "inventory": "inventář systémů"},
	alone:    "Napsáno pouze z nalezených podkladů: %s.",
	reasons: map[Missing]string{
		NoModel:     "není nastaven žádný jazykový model",
		Pending:     "na odpověď jazykového modelu se ještě čeká",
		Unanswered:  "jazykový model neodpověděl",
		Rejected:    "server jazykového modelu odmítá naše dotazy",
		Empty:       "jazykový model nedal žádnou odpověď",
		Unsupported: "žádné tvrzení jazykového modelu nemělo oporu v podkladech",
		OverBudget:  "rozpočet na jazykový model je vyčerpán",
		Refused:     "systém ticketů nepřijal text jazykového modelu",
		Suspected:   "ticket obsahuje text určený AI nebo operátorům, jazykový model proto nebyl dotázán",
	},

	strong: "silná shoda", partial: "částečná shoda", meaning: "podobný význam", maybe: "možná souvisí",
	today: "dnes",
	ago:   [4]string{"před %d rokem|před %d lety", "před %d měsícem|před %d měsíci", "před %d týdnem|před %d týdny", "před %d dnem|před %d dny"},
	facts: facts{
		evidence.SameSystem: "stejný systém %s", evidence.SameRequester: "stejný žadatel", evidence.SameSite: "stejné místo",
		evidence.CameBackAtOnce: "vrátilo se do jednoho dne",
		evidence.Held:           "vydrželo %d den|vydrželo %d dny|vydrželo %d dní", evidence.CameBack: "vrátilo se po %d dni|vrátilo se po %d dnech",
		evidence.Copies:    "ještě %d téměř stejný požadavek|ještě %d téměř stejné požadavky|ještě %d téměř stejných požadavků",
		evidence.Recurred:  "%d takový požadavek za 30 dní na stejném místě|%d takové požadavky za 30 dní na stejném místě|%d takových požadavků za 30 dní na stejném místě",
		evidence.PointedTo: "odkazoval na něj %d podobný požadavek|odkazovaly na něj %d podobné požadavky|odkazovalo na něj %d podobných požadavků",
	},

	try:     "Zkusit to, co vyřešilo %s.",
	cause:   "To, co vyřešilo %s, nevydrželo: hledat skutečnou příčinu.",
	compare: "Ověřit, zda je %s stejný problém: shoduje se příliš málo na jistotu.",
	check:   "Nejprve zkontrolovat %s: požadavek jej zmiňuje.",
	follow:  "Postupovat podle: %s.",
	applies: "Ověřit, zda se hodí %s: shoduje se příliš málo na jistotu.",
	ask:     "Z podkladů nelze nic doporučit. Vhodné otázky: přesné znění chyby, systém, na kterém nastává, a od kdy.",

	inventory: "inventář",
	claims:    "tvrzení: %d, se zdrojem: %d, odstraněno: %d", left: ", vynecháno kvůli délce: %d",
	evidence: "nalezené podklady: %d, každý se zdrojem", model: "Model",
	vote: "Byla tato poznámka užitečná?", useful: "Užitečná", useless: "Neužitečná",
}
