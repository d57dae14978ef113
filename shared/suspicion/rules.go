package suspicion

import (
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// rule is one way to talk to a machine.
type rule struct {
	name string
	// needs are words in small letters, cased as they are: where one of them
	// stands, the pattern is looked for around it.
	needs, cased []string
	lines        bool // the pattern knows lines; otherwise they are joined
	pattern      func() *regexp.Regexp
}

// near lets some words stand between two, within a sentence. How many, maxMatch
// says.
const near = `[^.!?]*?`

// lazily compiles a pattern when it is first looked for: a function that starts
// has better things to do.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

func like(name string, needs []string, pattern string) rule {
	return rule{name: name, needs: needs, pattern: lazily(`(?im)` + pattern)}
}

func (r rule) withCased(words ...string) rule { r.cased = words; return r }

func (r rule) onLines() rule { r.lines = true; return r }

// override is the order, in one language, to forget the orders given before:
// verb, which ones, noun, in any order of these that languages have.
func override(verbs, which, nouns string, needs ...string) rule {
	verbs, which, nouns = `(?:`+verbs+`)`, `(?:`+which+`)`, `(?:`+nouns+`)`
	return like("override", needs, verbs+near+which+near+nouns+`|`+verbs+near+nouns+near+which+`|`+which+near+nouns+near+verbs)
}

// machine is how a machine is called. The short names are no words in capitals
// only: in French and Italian, "ai" is one.
const machine = `(?:(?-i:AI|LLM|GPT|KI|IA)s?\b|(?:ai|virtual|digital|note|briefing|automated|language)[ -](?:assistants?|agents?|models?|systems?|bots?|writers?)\b|` +
	`large language models?|chat ?gpt|gpt-?\d|chat ?bots?\b|claude\b|copilot\b|deskhand\b|assistants?\b|summari[sz]ers?\b|sprachmodell\w*|modèles? de langage|modelos? de lenguaje|modell[oi] linguistic[oi]|modelos? de linguagem|taalmodel\w*|model\w* językow\w*|языков\w+ модел\w+|нейросет\w+|语言模型|人工智能|人工知能|言語モデル|언어 모델|인공지능|yapay zek[aâ]\w*)`

// technician is who reads the note, and do what an attacker wants of them.
const (
	technician = `(?:technicians?|operators?|engineers?|help ?desk|service ?desk|support (?:staff|team|agents?|person)|agents?|readers? of this|whoever reads)`
	do         = `(?:run|execute|visit|open|click|download|install|call|dial|phone|ring|go to|browse|type|enter|paste|disable|turn off|send|e-?mail|forward|reset|log ?in|sign ?in|connect|use|navigate|contact|follow)\b`
)

var rules = []rule{
	override(`ignore|disregard|forget|override|bypass|neglect|discard|do not (?:follow|obey)|don't (?:follow|obey)|stop following`,
		`previous|prior|above|earlier|preceding|foregoing|initial|system|original|existing|\bold\b|\byour\b|before this|up to now|so far|\bthese\b|\bthose\b`,
		`instructions?\b|prompts?\b|guidelines?\b|directives?\b|system rules|\brules\b|\borders\b|\bprogramming\b`, "instruction", "prompt", "guideline", "directive", "rules", "orders", "programming"),
	like("override", []string{"instruction", "prompt", "guideline", "directive", "rules", "programming"}, `\b(?:ignore|disregard|forget|override|neglect|discard|do not (?:follow|obey)|stop following)\b (?:\w+ ){0,2}?(?:all|any|every) (?:\w+ ){0,3}?(?:instructions?|prompts?|guidelines?|directives?|system rules|rules|programming)\b`),
	override(`ignorier\w*|vergiss|vergesst|vergessen sie|missachte\w*|beachte\w* nicht|überschreib\w*|verwirf`, `vorherig\w*|bisherig\w*|vorig\w*|obig\w*|früher\w*|\balle\b|deine\w?|ihre\w?`, `anweisung\w*|instruktion\w*|vorgaben|regeln|befehle`, "anweisung", "instruktion", "vorgaben", "regeln", "befehle"),
	override(`ignore[rz]?\b|oublie[rz]?\b|néglige[rz]?\b|ne (?:suis|suivez|tiens|tenez) pas`, `précédent\w*|antérieur\w*|ci-dessus|\btes\b|\bvos\b`, `instructions?\b|consignes?\b|directives?\b|règles\b`, "instruction", "consigne", "directive", "règles"),
	override(`ignora\w*|olvid\w+|descarta\w*|no sigas|omite`, `anterior\w*|previ\w+|todas|\btus\b|\bsus\b`, `instruccion\w*|indicacion\w*|órdenes|reglas|directrices`, "instruccion", "indicacion", "órdenes", "reglas", "directrices"),
	override(`ignora\w*|dimentica\w*|trascura\w*|non seguire`, `precedent\w*|anterior\w*|tutte|\btue\b|\bsopra\b`, `istruzion\w*|indicazion\w*|regole|direttive`, "istruzion", "indicazion", "regole", "direttive"),
	override(`ignor[ae]\w*|esque[cç]\w+|desconsider\w+|não siga`, `anterior\w*|prévi\w+|todas|\bsuas\b|acima`, `instruç|orientaç|regras|diretrizes`, "instruç", "orientaç", "regras", "diretrizes"),
	override(`negeer\w*|vergeet|sla .{0,10}over`, `vorige|eerdere|voorgaande|alle|bovenstaande|\bje\b`, `instructies?|opdrachten|aanwijzingen|regels`, "instructie", "opdrachten", "aanwijzingen", "regels"),
	override(`zignoruj\w*|ignoruj\w*|zapomnij\w*|pomiń`, `poprzedni\w*|wcześniejsz\w*|wszystki\w*|powyższ\w*`, `instrukcj\w*|polece\w*|zasad\w*`, "instrukcj", "polece", "zasad"),
	override(`ignoruj\w*|zapome(?:ň|nt)\w*|nevšímej\w*`, `předchozí\w*|dřívější\w*|všechny|výše`, `pokyn\w*|instrukc\w*|pravid\w*`, "pokyn", "instrukc", "pravid"),
	override(`ignorera|glöm|ignorer\b|glem|bortse`, `tidigare|föregående|alla|tidligere|forrige|alle`, `instruktion\w*|instruksjon\w*|instruks\w*|anvisning\w*`, "instruktion", "instruks", "anvisning"),
	override(`проигнорируй\w*|игнорируй\w*|забудь\w*|не обращай\w*|ігноруй\w*|забудьте`, `предыдущ\w*|прежн\w*|все|выше\w*|попередн\w*|усі`, `инструкци\w*|указани\w*|правил\w*|інструкці\w*|вказівк\w*`, "инструкци", "указани", "правил", "інструкці", "вказівк"),
	override(`忽略|无视|忘记|忘掉|不要理会|無視`, `之前|以前|先前|上述|上面|所有|前面|以上`, `指令|指示|提示|规则|命令|說明|说明`, "指令", "指示", "提示", "规则", "命令", "说明", "說明"),
	override(`無視|忘れ|従わない`, `以前|これまで|上記|すべて|全て|前の`, `指示|命令|プロンプト|ルール`, "指示", "命令", "プロンプト", "ルール"),
	override(`무시|잊어`, `이전|모든|위의|앞의`, `지시|명령|지침|프롬프트`, "지시", "명령", "지침", "프롬프트"),
	override(`yok say\w*|görmezden gel\w*|unut\w*`, `önceki|yukarıdaki|tüm|bütün`, `talimat\w*|yönerge\w*|kural\w*`, "talimat", "yönerge", "kural"),
	like("override", []string{"instruction"}, `\b(?:new|updated|revised|additional|real|actual|hidden|secret|special) (?:system )?instructions?\b(?: (?:for you|follow))? ?[:：-]|(?:above|previous|earlier|prior) (?:instructions?|rules) (?:are|were|is|was) (?:void|obsolete|a test|outdated|cancel\w*|revoked|wrong|no longer)`),

	like("to a machine", called, `\b(?:dear|hey|hello|hi|attention|attn|to|note (?:to|for)|message (?:to|for)|instructions? (?:to|for)|reminder (?:to|for)|if you(?:'re| are) an?|(?:you|u)(?:'re| are)(?: now)? an?|act(?:ing)? as an?|pretend (?:to be|you(?:'re| are)) an?)[ ,:]*(?:(?:the|any|all|my|our|every|automated|helpful|other|reading|friendly) )*`+machine+`(?:[,:;!]|(?: (?:that|which|who))? (?:reading|processing|summari[sz]ing|analy[sz]ing|handling|writing|please|must|should|shall|you)\b|$)`).withCased("AI", "LLM", "GPT"),
	like("to a machine", []string{"you are", "you're", "du bist", "tu es", "eres ", "ora sei", "jesteś", "ты теперь", "вы теперь", "вы языков", "你是", "你现在是"}, `\b(?:you(?:'re| are)(?: now| no longer)?|du bist(?: jetzt)?|tu es(?: maintenant)?|ahora eres|eres|(?:ora )?sei|jesteś(?: teraz)?) (?:an? |the |ein[e]? |un[ae]? |in )?(?:dan\b|in (?:dan|god) mode|god mode|unrestricted|chat ?gpt|gpt-?\d|(?-i:AI|KI|IA|LLM)\b|helpful assistant|language model|sprachmodell|modèle de langage|modelo de lenguaje|modello linguistico|jailbroken|free of|bound by)|^[«"]?(?:ты|вы) (?:теперь )?(?:ии|chatgpt|языковая)|你(?:现在)?是(?:一个)?(?:人工智能|AI|ChatGPT|语言模型)`),
	like("to a machine", []string{"language model", "assistant", "your system", "your training", "your programming", "your safety", "your content"}, `\bas an? (?:ai|large) (?:language )?model\b|\bas an? (?-i:AI|LLM)\b|\bto (?:any|all|every) (?:(?-i:AI|LLM)s?|language models?|assistants?)\b|\byour (?:system|training|programming|safety|content) (?:rules|polic(?:y|ies)|guidelines)\b`).withCased("AI", "LLM"),
	like("to a machine", append([]string{"ki-", "人工智能", "人工知能", "인공지능", "yapay", "языков", "нейросет", "sprachmodell", "langage", "lenguaje", "linguistic", "linguagem", "taalmodel", "językow"}, called...),
		`(?:^|[^\p{L}])(?:achtung|hinweis|nachricht|anweisung(?:en)?|an die|liebe|attention|à l'attention|note|message|consignes?|instructions?|chère?|atención|nota|mensaje|instrucciones|querida|attenzione|messaggio|istruzioni|cara|atenção|mensagem|instruções|aan de|bericht|let op|uwaga|wiadomość|pro|pozor|till|внимание|сообщение|инструкци[яи]|для|dikkat)[ ,:]{1,2}(?:(?:an|für|die|den|das|pour|aux?|à|de|d'|l'|le|la|les|para|al?|los|las|el|per|alla|allo|ao|voor|het|do|dla|på|для|all[ae]) ?){0,3}(?:`+machine+`|(?-i:ИИ|SI)\b|ki-(?:assistent|modell|system)\w*)|注意[，,:： ]*(?:AI|人工智能)|(?:AI|人工智能)(?:助手|模型|アシスタント)[，,:：、へに请]`).withCased("AI", "KI", "IA", "LLM", "GPT", "ИИ"),

	like("probe", []string{"prompt", "instruction", "rules", "above", "system message", "nonce"}, `\b(?:print|reveal|show|repeat|dump|leak|disclose|output|display|recite|copy|write|tell me|what (?:is|are))\b`+near+`(?:your (?:own |full |entire |exact |initial |hidden |secret |system )*(?:instructions?|prompts?|rules)\b|system prompt|hidden prompt|initial prompt|everything above|(?:text|words|content|lines) above|the nonce|the mark after)`),
	like("probe", []string{"system prompt", "systemprompt", "prompt del sistema", "invite système", "промпт", "系统提示", "prompt de sistema", "prompt système"}, `\b(?:your|the following|new|updated|dein\w*|votre|ton|jouw|din) (?:\w+ )?system[ -]?prompt|\bsystem[ -]?prompt ?(?:override|update|follows|ends?|begins?|:|>)|\b(?:print|reveal|show|repeat|dump|leak|output|display|gib|zeig\w*|affich\w+|montre\w*|muestra|mostra|mostre|revela|toon|pokaż|visa)\b[^.!?]{0,40}(?:system[ -]?prompt|prompt del? sistema|prompt système|invite système)|(?:покажи|выведи|раскрой|напиши)[^.!?]{0,40}системн\pL+ промпт|(?:显示|输出|打印|透露|你的)[^。\n]{0,8}系统提示词?`),
	like("probe", []string{"tenant", "client", "customer"}, `\b(?:list|show|reveal|print|include|repeat|give|quote|leak|dump|copy|tell)\b`+near+`\b(?:other|another|different|all|every) (?:tenant|client|customer|compan)\w*['’]?s? (?:ticket|data|password|credential|record|secret|note|incident)`),

	like("role tag", []string{"<|", "[inst", "<<sys", "[/inst"}, `<\|? ?(?:im_start|im_end|system|assistant|user|endoftext|eot_id|start_header_id|end_header_id|begin_of_text) ?\|>|\[/?INST\]|<</?SYS>>`),
	like("role tag", []string{"system", "assistant", "instruction", "developer", "tool_call", "function_call"}, `</?(?:system_prompt|tool_call|function_calls?)>|<(?:system|assistant|developer|instructions?)> ?(?:[^<>\n]+</(?:system|assistant|developer|instructions?)>|[^<>\n ]+ [^<>\n ]+ [^<>\n]|(?:you|ignore|do not|always|never|respond|reply|tell|override|from now|new|the (?:assistant|note|summary|briefing|technician))\b)|</(?:system|assistant|developer|instructions?)> ?<(?:system|assistant|developer|instructions?|user)>|#{2,4} ?(?:system|assistant|new instructions?|instructions?) ?:|\[{1,2}(?:system|assistant|developer)\]{1,2}(?: ?\(|:| (?:you|new|ignore|from now|always|notes?|the (?:assistant|note|summary))\b)|(?:^|[^\[}, ])[, ]*\{ ?["']role["'] ?: ?["'](?:system|assistant|developer)["'] ?, ?["'](?:content|text|message)["'] ?:`).onLines(),
	like("role tag", []string{"system", "assistant:", "assistant :", "developer:", "developer :", "ai:", "ai :", "bot:", "bot :"}, `^["'> ]*(?:assistant|developer) ?: |\b(?:assistant|ai|bot) ?: ?(?:understood|sure|of course|certainly|yes|okay|i will|i'll|here)\b|\bsystem ?: ?(?:you (?:must|are|will|have|shall|should|may|can)\b|ignore|from now|always|respond|reply|override|new (?:instruction|rule|polic)|the (?:assistant|model|note)\b|disregard|do not)`).onLines(),
	like("fence", []string{"===", "end of", "begin ", "start of"}, `={3,} ?(?:end of )?(?:ticket|evidence|system|article|user|instructions?|data)\b|\b(?:end of|begin|start of) (?:the )?(?:system|user|assistant|untrusted|quoted|ticket|evidence) (?:prompt|data|message|input|text|content|section|block)`).onLines(),
	like("fence", []string{"past ticket", "] article", "] system"}, `\[[TAS]\d{1,2}\] ?(?:possibly related )?(?:past ticket|article|system) `).onLines(),
	like("answer's form", []string{"similar_tickets", "recommended_next_steps", "relevant_documentation", "system_information", "evidence", "tool_calls", "function_call"},
		`similar_tickets|recommended_next_steps|relevant_documentation|system_information|["'][ ,:{]{0,6}evidence["'] ?: ?\[|["'](?:tool_calls|function_call)["'] ?:`).onLines(),
	like("comment", []string{"<!--"}, `<!--[^>]{0,300}\b(?:(?-i:AI|LLM)\b|assistant|language model|technician|chatbot|operator)`).onLines(),
	like("exfiltration", []string{"]("}, `!\[[^\]\n]{0,80}\]\([^)\n]{0,200}(?:\{|\$|<|%7b|secret|canary|prompt|[?&](?:data|d|q|leak|exfil|c)=)`).onLines(),

	like("orders the answer", []string{"your answer", "your response", "your output", "your reply", "your replies", "your summary", "your briefing", "your note"}, `\b(?:begin|start|end|finish|preface|prefix|close|conclude)\b`+near+`\byour (?:answer|response|reply|output|summary|briefing|note)s? (?:with|by)\b|\byour (?:answer|response|output|summary|briefing|note|reply) (?:must|should|shall|has to|needs to|will) (?:begin|start|end|contain|include|consist|say|state|only|mention)\b`),
	like("orders the answer", []string{"only", "exactly", "verbatim"}, `\b(?:respond|reply|answer) (?:\w+ )?(?:only|exactly|nothing but)(?: with| in| this|:| ["'“])|\b(?:output|say|write|print|return) (?:only|exactly|nothing but)(?: with| this|:| ["'“])|\brepeat (?:the following|this|after me)\b`+near+`(?:exactly|verbatim|word)`),
	like("orders the note", []string{"note", "briefing", "summary", "next steps"}, `\b(?:add|include|insert|append|write|put|place|paste|copy|mention|say|state|cite|list|recommend|show|post)\b`+near+`\b(?:in|into|to|at the (?:end|top|start|beginning) of|on|as|under|inside) (?:the |your |this |every |all |each |their )?(?:first line of (?:the |your )?)?(?:internal |support |final |technician'?s? |private )?(?:note|briefing|summary|(?:recommended )?next steps?)\b(?:$|[^\p{L}' -])`),
	like("orders the note", []string{"note", "briefing", "summary"}, `\b(?:the|your|every|each|this) (?:internal |support )?(?:note|briefing|summary) (?:must|should|shall|has to|needs to) (?:\w+ )?(?:say|state|contain|include|tell|recommend|mention|list|link|point|name|end|begin|start|read|cite)\b`),
	like("orders the note", []string{"notiz", "zusammenfassung"}, `(?:füge|schreib\w*|setze|nimm|ergänze)\b`+near+`\b(?:in|zu|an|ans)\b`+near+`(?:notiz|zusammenfassung)`),
	like("orders the note", []string{"la note", "ta note", "votre note", "cette note", "le résumé", "votre résumé"}, `(?:ajoute[rz]?|insère\w*|écri[st]\w*|mets|mettez|inclu\w+)\b`+near+`(?:dans|à) (?:la|ta|votre|le|cette) (?:note|résumé)`),
	like("orders the note", []string{"la nota", "tu nota", "esta nota", "el resumen"}, `(?:añad\w+|agreg\w+|incluy\w+|escrib\w+|pon(?:ga)?)\b`+near+`\b(?:en|a) (?:la|tu|el|esta) (?:nota|resumen)`),
	like("orders the note", []string{"nella nota", "alla nota", "nel riassunto", "al riassunto"}, `(?:aggiung\w+|inserisc\w+|scriv\w+)\b`+near+`(?:nella|alla|nel|al) (?:nota|riassunto)`),
	like("orders the note", []string{"na nota", "à nota", "no resumo"}, `(?:adicion\w+|inclu\w+|escrev\w+|insir\w+)\b`+near+`(?:na|à|no) (?:nota|resumo)`),
	like("orders the note", []string{"notitie", "samenvatting"}, `(?:voeg|schrijf|zet)\b`+near+`(?:in|aan|toe)\b`+near+`(?:notitie|samenvatting)`),
	like("orders the note", []string{"notat"}, `(?:dodaj|wpisz|umieść)`+near+`notat`),
	like("orders the note", []string{"резюме", "заметк", "примечани"}, `(?:добавь|вставь|напиши|включи)`+near+`(?:заметк|резюме|примечани)`),
	like("orders the note", []string{"备注", "笔记", "摘要", "メモ", "ノート", "要約"}, `(?:添加|加入|写入|写进|插入|放入)[^。\n]{0,20}(?:备注|笔记|摘要)|(?:备注|笔记|摘要)[^。\n]{0,10}(?:添加|加入|写入|插入)|(?:メモ|ノート|要約)(?:に|へ|には)[^。\n]{0,30}(?:追加|書|入れ)`),

	like("orders the technician", []string{"tell", "instruct", "direct", "order", "convince", "urge", "advise", "inform", "have ", "get ", "make "},
		`\b(?:tell|instruct|direct|order|convince|urge|command|require)s?\b (?:the |your |our |all |every |each |any )?(?:\w+ )?`+technician+`,? (?:that (?:they|he|she|it) (?:must|should|needs? to|ha(?:s|ve) to) |to |they must |must )(?:\w+ ){0,3}`+do+`|\b(?:have|get|make|advise|inform|ask) (?:the |your |all |every )?(?:technicians?|operators?|engineers?|readers?) (?:to )?(?:\w+ )?(?:run|execute|visit|open|click|download|install|paste|disable|dial|go to)\b`),
	like("orders the technician", []string{"technician", "operator", "engineer"}, `\b(?:the |all |every |this )?(?:technicians?|operators?|engineers?|readers?) (?:must|shall|has to|have to|needs? to|should) (?:(?:now|immediately|please|first|then|also|always|only|just|simply|manually|directly|therefore|at once) ){0,2}(?:run|execute|visit|open|click|download|install|call|dial|paste|disable|send|forward|type|go to|browse|log in|contact)\b|\b(?:attention|dear|note to|message (?:to|for)) (?:the |all |our )?(?:technicians?|operators?|engineers?|help ?desk staff|support staff)[,:!] |\bto (?:the |all |our )?(?:technicians?|operators?|engineers?) ?: `),
	like("orders the technician", []string{"techniker"}, `\b(?:sage?n?|weise?n?|teile?n?|befiehl|fordere?)\b`+near+`techniker`+near+`(?:ausführ|öffne|aufruf|besuch|klick|herunterlad|installier|eingeb|anruf|starte|deaktivier|anzuruf|auszuführ)`),
	like("orders the technician", []string{"technicien"}, `(?:di[st]|dites|demande[rz]?|ordonne[rz]?|indique[rz]?)\b`+near+`technicien`+near+`(?:exécut|ouvr|visit|lanc|cliqu|appel|install|télécharg)`),
	like("orders the technician", []string{"técnic"}, `(?:di(?:le|ga|gale)?|indi(?:ca|que)\w*|pid[ea]\w*|orden[ae]\w*|peça|instrua|mande|avise)\b`+near+`técnic`+near+`(?:ejecut|execut|visit|abr|llam|lig|hag|descarg|baix|inst|clic)`),
	like("orders the technician", []string{"tecnic"}, `(?:dì |(?:dite|dica|chied\w+|istruisc\w+|ordin\w+)\b)`+near+`tecnic`+near+`(?:esegu|visit|apr|chiam|scaric|install)`),
	like("orders the technician", []string{"technicus", "monteur", "beheerder"}, `\b(?:vertel|zeg|instrueer|laat)\b`+near+`\b(?:technicus|monteur|beheerder)`+near+`(?:uitvoer|open|bezoek|bel|klik|download|installeer)`),
	like("orders the technician", []string{"technik"}, `\b(?:powiedz|każ|poleć|poinstruuj|řekni|přikaž)`+near+`technik`),
	like("orders the technician", []string{"техник", "специалист", "оператор"}, `(?:скажи|вели|сообщи|прикажи|попроси)`+near+`(?:техник|специалист|оператор)`),
	like("orders the technician", []string{"技术人员", "工程师", "操作员", "技術者", "担当者", "기술자", "teknisyen"}, `(?:告诉|让|要求|通知|指示)(?:技术人员|工程师|操作员)|(?:技術者|担当者)に[^。\n]{0,40}(?:実行|訪問|開|電話|クリック)|기술자에게|teknisyene?`+near+`(?:çalıştır|aç|ara|ziyaret)`),
	like("keeps a secret", []string{"do not", "don't", "never"}, `\b(?:do not|don't|never) (?:tell|inform|alert|warn) (?:the |any |your )?(?:technician|operator|engineer|support)s?\b|\b(?:do not|don't|never) (?:mention|reveal|disclose|repeat|quote)\b`+near+`\b(?:these instructions|this (?:instruction|prompt)|that you (?:were|are|have))`),
	like("jailbreak", []string{"jailbreak", "do anything now", "god mode", "dan mode", "unrestricted mode"}, `\bjailbreak (?:mode|prompt)|\bdan\b`+near+`\bdo anything now\b|\bcan do anything now\b|\b(?:enable|enter|activate|switch to|you are (?:now )?in) (?:dan|god|jailbreak|unrestricted) mode\b`),
}

// called are words by which machines are called, in small letters.
var called = []string{"assistant", "language model", "gpt", "chatbot", "chat bot", "claude", "copilot", "deskhand", "summari", "ai agent", "ai model", "ai system", "ai bot", "automated"}

// joinedRule is what words are that were written letter by letter.
var joinedRule = regexp.MustCompile(`ignore(?:all|any|the)?(?:your|previous|prior|above)|(?:previous|prior)instructions|systemprompt|tellthetechnician|addthislink`)

const (
	window   = 200 // bytes around a word that a rule needs
	step     = 40  // from one window to the next
	maxMatch = 160 // bytes from the first word of a match to its last
)

// matching gives the name of the first rule that a text matches, "" for none.
// The text comes with its lines, and with these joined.
func matching(lines string) string {
	flat := strings.ReplaceAll(lines, "\n", " ")
	small := lower(flat)
	for _, r := range rules {
		text := flat
		if r.lines {
			text = lines
		}
		for _, word := range r.needs {
			if r.around(text, small, word) {
				return r.name
			}
		}
		for _, word := range r.cased {
			if r.around(text, flat, word) {
				return r.name
			}
		}
	}
	return ""
}

// around looks for the rule wherever the word stands in keys, which is as long
// as the text.
func (r rule) around(text, keys, word string) bool {
	for from := 0; from < len(keys); {
		i := strings.Index(keys[from:], word)
		if i < 0 {
			return false
		}
		i += from
		start, end := max(i-window, 0), min(i+len(word)+window, len(keys))
		if !r.lines {
			start, end = sentence(keys, start, i, end)
		}
		if r.in(cutout(text, start, end)) {
			return true
		}
		from = i + max(len(word), step)
	}
	return false
}

// sentence narrows a window to the sentence around i: patterns stay within one,
// and a short text is read quickly.
func sentence(text string, start, i, end int) (from, to int) {
	for _, mark := range []string{". ", "! ", "? "} {
		if n := strings.LastIndex(text[start:i], mark); n >= 0 {
			start += n + len(mark)
		}
		if n := strings.Index(text[i:end], mark); n >= 0 {
			end = i + n + len(mark)
		}
	}
	return start, end
}

// in tells whether the piece has a match that is short enough.
func (r rule) in(piece string) bool {
	for range 4 {
		m := r.pattern().FindStringIndex(piece)
		if m == nil {
			return false
		}
		if m[1]-m[0] <= maxMatch {
			return true
		}
		piece = piece[m[0]+1:]
	}
	return false
}

// cutout gives a part of the text, whole characters of it. A mark says where the
// text goes on, so that no pattern takes that for a line's beginning or end.
func cutout(text string, from, to int) string {
	const more = "\x01"
	before, after := more, more
	if from <= 0 {
		from, before = 0, ""
	}
	if to >= len(text) {
		to, after = len(text), ""
	}
	for from > 0 && !utf8.RuneStart(text[from]) {
		from--
	}
	for to < len(text) && !utf8.RuneStart(text[to]) {
		to++
	}
	return before + text[from:to] + after
}

// lower is s in small letters, and as long as s.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if l := unicode.ToLower(r); utf8.RuneLen(l) == utf8.RuneLen(r) {
			return l
		}
		return r
	}, s)
}
