package note

import (
	"math/bits"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/deskhand/deskhand/shared/ticket"
)

// Language gives the BCP 47 tag of the language to write a note in: the chosen
// one, else the ticket's, told by its script and its small words. A text that
// says too little is taken for English.
func Language(t ticket.Ticket, chosen string) string {
	if chosen != "" {
		return chosen
	}
	text := t.Text()
	text = text[:min(len(text), maxRead)]
	if tag := byScript(text); tag != "" {
		return tag
	}
	return byWords(text)
}

// maxRead is how many bytes of a ticket tell its language: logs come later.
const maxRead = 4000

// scripts are those that one language alone, or mostly, is written in.
var scripts = []struct {
	tag   string
	table *unicode.RangeTable
}{
	{"ja", unicode.Hiragana},
	{"ja", unicode.Katakana},
	{"zh", unicode.Han},
	{"ko", unicode.Hangul},
	{"ru", unicode.Cyrillic},
	{"el", unicode.Greek},
	{"ar", unicode.Arabic},
	{"he", unicode.Hebrew},
	{"th", unicode.Thai},
}

// byScript gives the language of a text whose letters are mostly not Latin:
// error messages in English are in tickets of every language.
func byScript(text string) string {
	counts, latin := map[string]int{}, 0
	for _, r := range text {
		switch {
		case r < utf8.RuneSelf, unicode.Is(unicode.Latin, r):
			if unicode.IsLetter(r) {
				latin++
			}
		default:
			for _, s := range scripts {
				if unicode.Is(s.table, r) {
					counts[s.tag]++
					break
				}
			}
		}
	}
	best := ""
	for _, s := range scripts {
		if counts[s.tag] > counts[best] {
			best = s.tag
		}
	}
	switch {
	case counts[best]*3 < latin: // a Han character is about three letters
		return ""
	case best == "zh" && counts["ja"]*10 > counts["zh"]:
		return "ja"
	case best == "ru" && strings.ContainsAny(text, "ђћљњџјЂЋЉЊЏЈ"):
		return "sr"
	case best == "ru" && strings.ContainsAny(text, "іїєґІЇЄҐ"):
		return "uk"
	}
	return best
}

// smallWords are of each language the words that say nothing, and a few that
// people greet and complain with. Languages without a lexicon are here so as not
// to be taken for another.
var smallWords = [...]struct{ tag, words string }{
	{"en", "the a and to of is in it that for on with my i have not this be are was when but you can from at as do if will all no an or they has there would after get how what which please any been by we your just now only then me still since hello hi thanks using had does see help need want new up out so its it's don't can't i'm am into because could way send problem mail"},
	{"de", "der die das und ist nicht ich mit zu den ein eine auf für von dem im es bei wie sich auch wir kann habe werden wird aber nach wenn nur mehr noch oder als aus meine mein keine kein seit hallo bitte danke einen einer sind wurde haben geht immer über unter beim zum zur am vom was mir wieder jetzt hat"},
	{"fr", "le la les des et est pas je ne un une que pour dans sur avec ce qui mon mes il plus au du sont par nous vous mais ai cette ont aux comme être fait depuis bonjour merci quand ma j'ai n'est c'est si tout même très sans puis peux peut après suis lors toujours"},
	{"es", "el los las y que es en un una no por con para se del al lo mi como pero más me ha su este cuando esta hay puedo tengo desde hola gracias está sin ya muy o si sobre todo mis todos correo también después he estoy sólo donde qué nuevo hace ni"},
	{"it", "il lo gli e che di è un una non per con del della sono ho mi come ma più si nel dei anche questo da al alla le i ha delle quando posso buongiorno salve grazie dal nella se già dopo ed sul stato fare molto tutti solo ora tutte essere sempre cosa perché però su vorrei"},
	{"pt", "o os as e que é em um uma não por com para do da no na mais meu minha se eu como mas ao foi dos das está isso estou tenho pelo quando já olá obrigado obrigada bom dia também seu são ou nos nas tem até só me depois aparece consigo fazer muito sem qual pode você ele esse essa"},
	{"nl", "de het een en is niet ik van te dat op in met voor zijn er maar ook aan als naar mijn bij heb dit kan om wel nog geen door of worden wordt uit dan heeft deze meer hoe sinds hallo bedankt wat mij moet was via steeds alle hebben kunnen over nu weer al ben zie na graag ik heb krijg verzenden"},
	{"pl", "i w nie się na z do jest to że jak po mam ale o przez od tak czy co już dla mi za proszę dzień dobry może są tylko gdy mnie być oraz lub ten jestem bardzo który która które można także jednak przy dziękuję witam pozdrawiam moje mój ze mojej przez nadal"},
	{"cs", "a se na v je to že s z do jsem ale i o jak pro když po si mi není při od k ve za už mám by který která které jako tak ze nebo jen kde aby jsou má co dobrý den děkuji prosím mohu bych ani až také jde nejde mne byl bylo být té toho této"},
	{"hu", "a az és hogy nem is egy van ha de ez meg csak már mert el vagy nekem ki kell volt lehet mit be köszönöm sziasztok tisztelt segítséget még minden után így azt ezt mint hogyan sem között vagyok fel le üdvözlettel amikor ami jó"},
	{"fi", "ja on ei se että en jos kun mutta tai ole niin kuin myös mitä voi oli minulla nyt vain sitten miten olen siitä tämä ne sen kanssa miksi pois voisi voinko saan saada tulee näytä uusi uuden enkä ettei mutta kuten jonka koska johtuu joku jotain siis se hei kiitos mikä joka vaikka ovat saa ollut sähköposti eikä kuitenkin enää aina pitää"},
	{"tr", "ve bir bu için ile ne da de mi çok nasıl ama var yok olarak gibi daha olan değil kadar sonra ben benim her en ancak bunu şekilde merhaba teşekkürler lütfen veya oldu oluyor ediyorum istiyorum hata zaman olduğunu yardımcı"},
	{"sl", "in je na se da za ne so v sem ki z pa ali ni to kot mi ko bi če po od do lahko kako tudi tega pri kaj pozdravljeni hvala zakaj imam iz sta ker moj sporočila več samo kje ta prosim ob že sporočil naj vse"},
	{"sr", "i u je na se da za ne su sam koji od sa to kao mi bi ali ako po do što kako mogu iz nije ima hvala pozdrav zašto nakon šta gde kada imam ovo još sve samo molim"},
	{"sv", "och att det är jag på en som för inte har med till av den ett kan om men från när ni mig hej tack hur vad finns så eller vi alla efter där kommer"},
	{"da", "og at det er jeg på en som for ikke har med til af den et kan om men fra når mig hej tak hvordan hvad så eller vi alle efter der kommer hvis"},
	{"ro", "și în la nu de un o cu pe care este pentru din să mai am sunt dar că când după cum mi sau fi ca bună ziua mulțumesc"},
}

// enough is what a language other than English needs: a word that only it has,
// and one that it shares.
const enough = 16

// ownLetters are those that one of the languages has, and most others not.
var ownLetters = map[rune]string{
	'ß': "de", 'ñ': "es", 'ã': "pt", 'õ': "pt", 'ł': "pl", 'ą': "pl", 'ę': "pl", 'ż': "pl", 'ř': "cs", 'ě': "cs", 'ů': "cs",
	'ő': "hu", 'ű': "hu", 'ğ': "tr", 'ı': "tr", 'ş': "tr", 'å': "sv", 'ø': "da", 'ă': "ro", 'ț': "ro",
}

// languagesOf gives for each small word the languages that have it, a bit each,
// and bitOf the bit of a language.
var languagesOf, bitOf = func() (of, bit map[string]uint32) {
	of, bit = map[string]uint32{}, map[string]uint32{}
	for i, l := range smallWords {
		bit[l.tag] = 1 << i
		for word := range strings.FieldsSeq(l.words) {
			of[word] |= 1 << i
		}
	}
	return of, bit
}()

// byWords gives the language whose small words a text has most of. A word that
// is of few languages says more. Each counts once: the lines of a log repeat
// themselves.
func byWords(text string) string {
	var scores [len(smallWords)]int
	add := func(languages uint32, weight int) {
		for ; languages != 0; languages &= languages - 1 {
			scores[bits.TrailingZeros32(languages)] += weight
		}
	}
	seen := map[string]bool{}
	split := func(r rune) bool { return !unicode.IsLetter(r) && r != '\'' }
	for word := range strings.FieldsFuncSeq(strings.ToLower(strings.ReplaceAll(text, "’", "'")), split) {
		if seen[word] {
			continue
		}
		seen[word] = true
		of := languagesOf[word]
		add(of, 12/max(bits.OnesCount32(of), 1))
		for _, r := range word {
			if r >= utf8.RuneSelf {
				add(bitOf[ownLetters[r]], 6)
			}
		}
	}
	scores[0] = scores[0] * 2 / 3 // error messages in English are in tickets of every language
	best := 0                     // English, where none is ahead
	for i, score := range scores {
		if score > scores[best] && score >= enough {
			best = i
		}
	}
	return smallWords[best].tag
}
