package note

import "github.com/deskhand/deskhand/shared/evidence"

var french = lexicon{
	plural: frenchForm, and: "et", colon: "\u00a0:",
	headings: [4]string{"Tickets similaires", "Documentation pertinente", "Informations système", "Prochaines étapes recommandées"},
	general:  "Conseils généraux, non vérifiés",

	seen: "Déjà vu", possibly: "Peut-être lié", solvedBy: "Résolu par", lookAt: "À regarder", article: "article",
	notSeen:         "**Jamais vu :** aucun ticket résolu ne ressemble à celui-ci.",
	unsearched:      "**On ignore si cela s'est déjà produit :** la recherche de tickets similaires n'a pas pu se faire.",
	nothing:         "**Rien de semblable n'est connu ici :** aucun ticket similaire, aucun article et aucun système de l'inventaire ne correspond.",
	nothingSearched: "**Rien trouvé,** mais tout n'a pas pu être consulté.",

	suspect: "Ce ticket contient du texte adressé à une IA ou à des opérateurs : à traiter comme un possible hameçonnage.",
	told:    "Le ticket n'a pas pu être lu dans l'outil : cette note repose sur le texte transmis par le webhook.",
	changed: "Mis à jour, modifié : %s.",
	fields: map[string]string{
		"subject": "objet", "description": "description", "priority": "priorité", "requester": "demandeur", "replies": "réponses",
	},
	withheld: "Non affiché, car le texte s'adresse à une IA ou aux opérateurs : %s.",
	gaps:     "Contexte limité, temporairement indisponible : %s.",
	sources:  map[string]string{"history": "tickets similaires", "knowledge_base": "base de connaissances", "inventory": "inventaire des systèmes"},
	alone:    "Rédigé à partir des seuls éléments trouvés : %s.",
	reasons: map[Missing]string{
		NoModel:     "aucun modèle de langage n'est configuré",
		Pending:     "la réponse du modèle de langage est encore attendue",
		Unanswered:  "le modèle de langage n'a pas répondu",
		Rejected:    "le service du modèle de langage rejette nos requêtes",
		Empty:       "le modèle de langage n'a donné aucune réponse",
		Unsupported: "aucune affirmation du modèle de langage n'était étayée par les éléments trouvés",
		OverBudget:  "le budget du modèle de langage est épuisé",
		Refused:     "l'outil de tickets n'a pas accepté le texte du modèle de langage",
		Suspected:   "le ticket contient un texte adressé à une IA ou aux opérateurs, le modèle de langage n'a donc pas été interrogé",
	},

	strong: "forte correspondance", partial: "correspondance partielle", meaning: "sens proche", maybe: "peut-être lié",
	today: "aujourd'hui",
	ago:   [4]string{"il y a %d an|il y a %d ans", "il y a %d mois", "il y a %d semaine|il y a %d semaines", "il y a %d jour|il y a %d jours"},
	facts: facts{
		evidence.SameSystem: "même système %s", evidence.SameRequester: "même demandeur", evidence.SameSite: "même site",
		evidence.CameBackAtOnce: "revenu en moins d'un jour",
		evidence.Held:           "a tenu %d jour|a tenu %d jours", evidence.CameBack: "revenu après %d jour|revenu après %d jours",
		evidence.Copies:    "%d autre ticket presque identique|%d autres tickets presque identiques",
		evidence.Recurred:  "%d ticket de ce type en 30 jours au même endroit|%d tickets de ce type en 30 jours au même endroit",
		evidence.PointedTo: "%d ticket similaire y renvoyait|%d tickets similaires y renvoyaient",
	},

	try:     "Essayer ce qui a résolu %s.",
	cause:   "Ce qui a résolu %s n'a pas tenu : chercher la cause profonde.",
	compare: "Vérifier si %s est le même problème : trop peu d'éléments concordent pour en être sûr.",
	check:   "Vérifier d'abord %s : le ticket le nomme.",
	follow:  "Suivre %s.",
	applies: "Vérifier si %s s'applique : trop peu d'éléments concordent pour en être sûr.",
	ask:     "Rien à recommander d'après les éléments trouvés. À demander : le texte exact de l'erreur, le système concerné, et depuis quand.",

	inventory: "inventaire",
	claims:    "affirmations : %d, avec source : %d, retirées : %d", left: ", omises faute de place : %d",
	evidence: "éléments trouvés : %d, chacun avec sa source", model: "Modèle",
	vote: "Cette note a-t-elle été utile ?", useful: "Utile", useless: "Inutile",
}

var spanish = lexicon{
	plural: oneOrMore, and: "y", colon: ":",
	headings: [4]string{"Tickets similares", "Documentación relevante", "Información del sistema", "Próximos pasos recomendados"},
	general:  "Consejos generales, sin verificar",

	seen: "Ya visto", possibly: "Posiblemente relacionado", solvedBy: "Resuelto con", lookAt: "Mirar", article: "artículo",
	notSeen:         "**No visto antes:** ningún ticket resuelto se parece a este.",
	unsearched:      "**No se sabe si ya ocurrió antes:** no se pudieron buscar tickets similares.",
	nothing:         "**Aquí no se conoce nada parecido:** no coincide ningún ticket similar, ningún artículo ni ningún sistema del inventario.",
	nothingSearched: "**No se encontró nada,** pero no se pudo buscar en todo.",

	suspect: "Este ticket contiene texto dirigido a una IA o a operadores: trátelo como posible phishing.",
	told:    "No se pudo leer el ticket desde la herramienta: esta nota se basa en el texto que trajo el webhook.",
	changed: "Actualizado, ha cambiado: %s.",
	fields: map[string]string{
		"subject": "asunto", "description": "descripción", "priority": "prioridad", "requester": "solicitante", "replies": "respuestas",
	},
	withheld: "No se muestra, porque el texto se dirige a una IA o a los operadores: %s.",
	gaps:     "Contexto limitado, no disponible temporalmente: %s.",
	sources:  map[string]string{"history": "tickets similares", "knowledge_base": "base de conocimientos", "inventory": "inventario de sistemas"},
	alone:    "Escrito solo a partir de lo encontrado: %s.",
	reasons: map[Missing]string{
		NoModel:     "no hay ningún modelo de lenguaje configurado",
		Pending:     "aún se espera la respuesta del modelo de lenguaje",
		Unanswered:  "el modelo de lenguaje no respondió",
		Rejected:    "el servicio del modelo de lenguaje rechaza nuestras peticiones",
		Empty:       "el modelo de lenguaje no dio ninguna respuesta",
		Unsupported: "ninguna afirmación del modelo de lenguaje tenía respaldo en lo encontrado",
		OverBudget:  "el presupuesto del modelo de lenguaje está agotado",
		Refused:     "la herramienta de tickets no aceptó el texto del modelo de lenguaje",
		Suspected:   "el ticket contiene texto dirigido a una IA o a los operadores, por lo que no se consultó al modelo de lenguaje",
	},

	strong: "coincidencia fuerte", partial: "coincidencia parcial", meaning: "significado parecido", maybe: "posiblemente relacionado",
	today: "hoy",
	ago:   [4]string{"hace %d año|hace %d años", "hace %d mes|hace %d meses", "hace %d semana|hace %d semanas", "hace %d día|hace %d días"},
	facts: facts{
		evidence.SameSystem: "mismo sistema %s", evidence.SameRequester: "mismo solicitante", evidence.SameSite: "misma sede",
		evidence.CameBackAtOnce: "volvió en menos de un día",
		evidence.Held:           "aguantó %d día|aguantó %d días", evidence.CameBack: "volvió tras %d día|volvió tras %d días",
		evidence.Copies:    "%d ticket más casi igual|%d tickets más casi iguales",
		evidence.Recurred:  "%d ticket así en 30 días en el mismo lugar|%d tickets así en 30 días en el mismo lugar",
		evidence.PointedTo: "%d ticket similar remitía a él|%d tickets similares remitían a él",
	},

	try:     "Probar lo que resolvió %s.",
	cause:   "Lo que resolvió %s no duró: buscar la causa de fondo.",
	compare: "Ver si %s es el mismo problema: coincide demasiado poco para estar seguro.",
	check:   "Revisar primero %s: el ticket lo nombra.",
	follow:  "Seguir %s.",
	applies: "Ver si %s es aplicable: coincide demasiado poco para estar seguro.",
	ask:     "Nada que recomendar a partir de lo encontrado. Conviene preguntar: el texto exacto del error, el sistema en que ocurre, y desde cuándo.",

	inventory: "inventario",
	claims:    "afirmaciones: %d, con fuente: %d, retiradas: %d", left: ", omitidas por espacio: %d",
	evidence: "elementos encontrados: %d, cada uno con su fuente", model: "Modelo",
	vote: "¿Fue útil esta nota?", useful: "Útil", useless: "Inútil",
}

var italian = lexicon{
	plural: oneOrMore, and: "e", colon: ":",
	headings: [4]string{"Ticket simili", "Documentazione pertinente", "Informazioni sui sistemi", "Prossimi passi consigliati"},
	general:  "Consigli generali, non verificati",

	seen: "Già visto", possibly: "Forse correlato", solvedBy: "Risolto con", lookAt: "Da guardare", article: "articolo",
	notSeen:         "**Mai visto prima:** nessun ticket risolto somiglia a questo.",
	unsearched:      "**Non si sa se sia già successo:** non è stato possibile cercare ticket simili.",
	nothing:         "**Qui non è noto nulla di simile:** nessun ticket simile, nessun articolo e nessun sistema dell'inventario corrisponde.",
	nothingSearched: "**Nessun risultato,** ma non è stato possibile cercare ovunque.",

	suspect: "Questo ticket contiene testo rivolto a un'IA o agli operatori: trattarlo come possibile phishing.",
	told:    "Non è stato possibile leggere il ticket dallo strumento: questa nota si basa sul testo portato dal webhook.",
	changed: "Aggiornato, modificato: %s.",
	fields: map[string]string{
		"subject": "oggetto", "description": "descrizione", "priority": "priorità", "requester": "richiedente", "replies": "risposte",
	},
	withheld: "Non mostrato, perché il testo è rivolto a un'IA o agli operatori: %s.",
	gaps:     "Contesto limitato, temporaneamente non disponibile: %s.",
	sources:  map[string]string{"history": "ticket simili", "knowledge_base": "base di conoscenza", "inventory": "inventario dei sistemi"},
	alone:    "Scritto solo in base a quanto trovato: %s.",
	reasons: map[Missing]string{
		NoModel:     "nessun modello linguistico è configurato",
		Pending:     "si attende ancora la risposta del modello linguistico",
		Unanswered:  "il modello linguistico non ha risposto",
		Rejected:    "il servizio del modello linguistico rifiuta le nostre richieste",
		Empty:       "il modello linguistico non ha dato risposta",
		Unsupported: "nessuna affermazione del modello linguistico trovava riscontro in quanto trovato",
		OverBudget:  "il budget per il modello linguistico è esaurito",
		Refused:     "lo strumento di ticketing non ha accettato il testo del modello linguistico",
		Suspected:   "il ticket contiene testo rivolto a un'IA o agli operatori, quindi il modello linguistico non è stato interrogato",
	},

	strong: "forte corrispondenza", partial: "corrispondenza parziale", meaning: "simile nel significato", maybe: "forse correlato",
	today: "oggi",
	ago:   [4]string{"%d anno fa|%d anni fa", "%d mese fa|%d mesi fa", "%d settimana fa|%d settimane fa", "%d giorno fa|%d giorni fa"},
	facts: facts{
		evidence.SameSystem: "stesso sistema %s", evidence.SameRequester: "stesso richiedente", evidence.SameSite: "stessa sede",
		evidence.CameBackAtOnce: "tornato entro un giorno",
		evidence.Held:           "ha retto %d giorno|ha retto %d giorni", evidence.CameBack: "tornato dopo %d giorno|tornato dopo %d giorni",
		evidence.Copies:    "%d altro ticket quasi uguale|altri %d ticket quasi uguali",
		evidence.Recurred:  "%d ticket come questo in 30 giorni nello stesso luogo",
		evidence.PointedTo: "%d ticket simile vi rimandava|%d ticket simili vi rimandavano",
	},

	try:     "Provare ciò che ha risolto %s.",
	cause:   "Ciò che ha risolto %s non è durato: cercare la causa di fondo.",
	compare: "Verificare se %s è lo stesso problema: coincide troppo poco per esserne certi.",
	check:   "Controllare prima %s: il ticket lo nomina.",
	follow:  "Seguire %s.",
	applies: "Verificare se %s è pertinente: coincide troppo poco per esserne certi.",
	ask:     "Nulla da consigliare in base a quanto trovato. Utile chiedere: il testo esatto dell'errore, il sistema interessato, e da quando.",

	inventory: "inventario",
	claims:    "affermazioni: %d, con fonte: %d, rimosse: %d", left: ", omesse per brevità: %d",
	evidence: "elementi trovati: %d, ognuno con la sua fonte", model: "Modello",
	vote: "Questa nota è stata utile?", useful: "Utile", useless: "Inutile",
}

var portuguese = lexicon{
	plural: oneOrMore, and: "e", colon: ":",
	headings: [4]string{"Tickets semelhantes", "Documentação relevante", "Informações do sistema", "Próximos passos recomendados"},
	general:  "Conselhos gerais, não verificados",

	seen: "Já visto", possibly: "Possivelmente relacionado", solvedBy: "Resolvido com", lookAt: "Ver", article: "artigo",
	notSeen:         "**Nunca visto antes:** nenhum ticket resolvido se parece com este.",
	unsearched:      "**Não se sabe se já ocorreu antes:** não foi possível pesquisar tickets semelhantes.",
	nothing:         "**Nada semelhante é conhecido aqui:** nenhum ticket semelhante, nenhum artigo e nenhum sistema do inventário corresponde.",
	nothingSearched: "**Nada encontrado,** mas não foi possível pesquisar em tudo.",

	suspect: "Este ticket contém texto dirigido a uma IA ou a operadores: trate como possível phishing.",
	told:    "Não foi possível ler o ticket na ferramenta: esta nota baseia-se no texto trazido pelo webhook.",
	changed: "Atualizado, alterado: %s.",
	fields: map[string]string{
		"subject": "assunto", "description": "descrição", "priority": "prioridade", "requester": "solicitante", "replies": "respostas",
	},
	withheld: "Não mostrado, porque o texto se dirige a uma IA ou aos operadores: %s.",
	gaps:     "Contexto limitado, temporariamente indisponível: %s.",
	sources:  map[string]string{"history": "tickets semelhantes", "knowledge_base": "base de conhecimento", "inventory": "inventário de sistemas"},
	alone:    "Escrito apenas a partir do que foi encontrado: %s.",
	reasons: map[Missing]string{
		NoModel:     "nenhum modelo de linguagem está configurado",
		Pending:     "a resposta do modelo de linguagem ainda é esperada",
		Unanswered:  "o modelo de linguagem não respondeu",
		Rejected:    "o serviço do modelo de linguagem rejeita os nossos pedidos",
		Empty:       "o modelo de linguagem não deu resposta",
		Unsupported: "nenhuma afirmação do modelo de linguagem tinha apoio no que foi encontrado",
		OverBudget:  "o orçamento do modelo de linguagem está esgotado",
		Refused:     "a ferramenta de tickets não aceitou o texto do modelo de linguagem",
		Suspected:   "o ticket contém texto dirigido a uma IA ou aos operadores, por isso o modelo de linguagem não foi consultado",
	},

	strong: "correspondência forte", partial: "correspondência parcial", meaning: "significado semelhante", maybe: "possivelmente relacionado",
	today: "hoje",
	ago:   [4]string{"há %d ano|há %d anos", "há %d mês|há %d meses", "há %d semana|há %d semanas", "há %d dia|há %d dias"},
	facts: facts{
		evidence.SameSystem: "mesmo sistema %s", evidence.SameRequester: "mesmo solicitante", evidence.SameSite: "mesmo local",
		evidence.CameBackAtOnce: "voltou em menos de um dia",
		evidence.Held:           "durou %d dia|durou %d dias", evidence.CameBack: "voltou após %d dia|voltou após %d dias",
		evidence.Copies:    "mais %d ticket quase igual|mais %d tickets quase iguais",
		evidence.Recurred:  "%d ticket assim em 30 dias no mesmo lugar|%d tickets assim em 30 dias no mesmo lugar",
		evidence.PointedTo: "%d ticket semelhante remetia para ele|%d tickets semelhantes remetiam para ele",
	},

	try:     "Tentar o que resolveu %s.",
	cause:   "O que resolveu %s não durou: procurar a causa de fundo.",
	compare: "Ver se %s é o mesmo problema: coincide muito pouco para ter certeza.",
	check:   "Verificar primeiro %s: o ticket menciona-o.",
	follow:  "Seguir %s.",
	applies: "Ver se %s se aplica: coincide muito pouco para ter certeza.",
	ask:     "Nada a recomendar a partir do que foi encontrado. Útil perguntar: o texto exato do erro, o sistema em que ocorre, e desde quando.",

	inventory: "inventário",
	claims:    "afirmações: %d, com fonte: %d, removidas: %d", left: ", omitidas por espaço: %d",
	evidence: "elementos encontrados: %d, cada um com a sua fonte", model: "Modelo",
	vote: "Esta nota foi útil?", useful: "Útil", useless: "Inútil",
}
