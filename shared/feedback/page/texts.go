package page

import "strings"

// texts are all words of the page in one language.
type texts struct {
	Lang                               string
	Title, Useful, Useless             string
	Before                             string
	Wrong, WrongHint                   string
	Tickets, Articles                  string
	Reasons                            string
	Outdated, NotUseful, Other         string
	Comment, CommentHint               string
	Send, Private                      string
	Thanks, ThanksMore, Changed, Muted string
	Already                            string
	Gone, GoneWhy                      string
	SlowDown, BadForm, Later           string
}

// languages are those of the page, the first for all others.
var languages = []texts{
	{
		Lang: "en", Title: "Was this note useful?", Useful: "Yes, it helped", Useless: "No, it did not help",
		Before: "There is an answer already. What you send takes its place.",
		Wrong:  "What does not belong here?", WrongHint: "It is not suggested for this ticket again.",
		Tickets: "Past tickets", Articles: "Articles",
		Reasons: "What else was wrong?", Outdated: "Out of date", NotUseful: "True, but no use", Other: "Something else",
		Comment: "In your words", CommentHint: "At most 500 characters. No passwords, please.",
		Send: "Send", Private: "Your answer goes to your own help desk’s Deskhand. Nothing is stored about you.",
		Thanks: "Thank you. Your answer is stored.", ThanksMore: "You can change it with the same link for 30 days after the note.",
		Changed: "Thank you. Your answer is changed.", Muted: "What you marked is not suggested for this ticket again.",
		Already: "Your answer is stored already. Nothing changed.",
		Gone:    "This link is not valid", GoneWhy: "Links at the foot of a note work for 30 days. Open the note on the ticket, and try its link again.",
		SlowDown: "Too many requests. Please try again in a minute.", BadForm: "This could not be read. Please go back, and send the form again.",
		Later: "This cannot be done right now. Please try again in a minute.",
	},
	{
		Lang: "de", Title: "War diese Notiz hilfreich?", Useful: "Ja, sie hat geholfen", Useless: "Nein, sie hat nicht geholfen",
		Before: "Es gibt schon eine Antwort. Was Sie senden, ersetzt sie.",
		Wrong:  "Was gehört nicht hierher?", WrongHint: "Es wird für dieses Ticket nicht mehr vorgeschlagen.",
		Tickets: "Frühere Tickets", Articles: "Artikel",
		Reasons: "Was war sonst falsch?", Outdated: "Veraltet", NotUseful: "Richtig, aber nutzlos", Other: "Etwas anderes",
		Comment: "In Ihren Worten", CommentHint: "Höchstens 500 Zeichen. Bitte keine Passwörter.",
		Send: "Senden", Private: "Ihre Antwort geht an das Deskhand Ihres eigenen Helpdesks. Über Sie wird nichts gespeichert.",
		Thanks: "Danke. Ihre Antwort ist gespeichert.", ThanksMore: "Sie können sie mit demselben Link bis 30 Tage nach der Notiz ändern.",
		Changed: "Danke. Ihre Antwort ist geändert.", Muted: "Was Sie markiert haben, wird für dieses Ticket nicht mehr vorgeschlagen.",
		Already: "Ihre Antwort ist schon gespeichert. Nichts hat sich geändert.",
		Gone:    "Dieser Link ist nicht gültig", GoneWhy: "Links am Fuß einer Notiz gelten 30 Tage. Öffnen Sie die Notiz am Ticket, und versuchen Sie deren Link noch einmal.",
		SlowDown: "Zu viele Anfragen. Bitte versuchen Sie es in einer Minute noch einmal.", BadForm: "Das konnte nicht gelesen werden. Bitte gehen Sie zurück, und senden Sie das Formular noch einmal.",
		Later: "Das geht gerade nicht. Bitte versuchen Sie es in einer Minute noch einmal.",
	},
	{
		Lang: "fr", Title: "Cette note a-t-elle été utile ?", Useful: "Oui, elle a aidé", Useless: "Non, elle n’a pas aidé",
		Before: "Il y a déjà une réponse. La vôtre la remplacera.",
		Wrong:  "Qu’est-ce qui n’a rien à faire ici ?", WrongHint: "Cela ne sera plus proposé pour ce ticket.",
		Tickets: "Tickets antérieurs", Articles: "Articles",
		Reasons: "Qu’est-ce qui n’allait pas d’autre ?", Outdated: "Périmé", NotUseful: "Exact, mais inutile", Other: "Autre chose",
		Comment: "Avec vos mots", CommentHint: "500 caractères au plus. Pas de mots de passe, s’il vous plaît.",
		Send: "Envoyer", Private: "Votre réponse va au Deskhand de votre propre service d’assistance. Rien n’est enregistré sur vous.",
		Thanks: "Merci. Votre réponse est enregistrée.", ThanksMore: "Vous pouvez la modifier avec le même lien pendant 30 jours après la note.",
		Changed: "Merci. Votre réponse est modifiée.", Muted: "Ce que vous avez coché ne sera plus proposé pour ce ticket.",
		Already: "Votre réponse est déjà enregistrée. Rien n’a changé.",
		Gone:    "Ce lien n’est pas valable", GoneWhy: "Les liens au pied d’une note fonctionnent 30 jours. Ouvrez la note du ticket et essayez son lien de nouveau.",
		SlowDown: "Trop de requêtes. Veuillez réessayer dans une minute.", BadForm: "Ceci n’a pas pu être lu. Veuillez revenir en arrière et renvoyer le formulaire.",
		Later: "C’est impossible pour l’instant. Veuillez réessayer dans une minute.",
	},
	{
		Lang: "es", Title: "¿Fue útil esta nota?", Useful: "Sí, ayudó", Useless: "No, no ayudó",
		Before: "Ya hay una respuesta. La que envíe la sustituirá.",
		Wrong:  "¿Qué no corresponde aquí?", WrongHint: "No se volverá a proponer para este ticket.",
		Tickets: "Tickets anteriores", Articles: "Artículos",
		Reasons: "¿Qué más estaba mal?", Outdated: "Anticuado", NotUseful: "Cierto, pero inútil", Other: "Otra cosa",
		Comment: "Con sus palabras", CommentHint: "500 caracteres como máximo. Sin contraseñas, por favor.",
		Send: "Enviar", Private: "Su respuesta va al Deskhand de su propio servicio de asistencia. No se guarda nada sobre usted.",
		Thanks: "Gracias. Su respuesta está guardada.", ThanksMore: "Puede cambiarla con el mismo enlace durante 30 días después de la nota.",
		Changed: "Gracias. Su respuesta está cambiada.", Muted: "Lo que marcó no se volverá a proponer para este ticket.",
		Already: "Su respuesta ya está guardada. No cambió nada.",
		Gone:    "Este enlace no es válido", GoneWhy: "Los enlaces al pie de una nota funcionan 30 días. Abra la nota del ticket y pruebe su enlace otra vez.",
		SlowDown: "Demasiadas solicitudes. Inténtelo de nuevo en un minuto.", BadForm: "No se pudo leer. Vuelva atrás y envíe el formulario otra vez.",
		Later: "Ahora no es posible. Inténtelo de nuevo en un minuto.",
	},
}

// speak gives the first language that the page has, of lists like "de-AT, en;q=0.5"
// in their order.
func speak(wanted ...string) texts {
	for tag := range strings.SplitSeq(strings.Join(wanted, ","), ",") {
		tag, _, _ = strings.Cut(tag, ";")
		base, _, _ := strings.Cut(strings.TrimSpace(tag), "-")
		for _, t := range languages {
			if strings.EqualFold(base, t.Lang) {
				return t
			}
		}
	}
	return languages[0]
}
