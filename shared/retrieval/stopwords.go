package retrieval

import "strings"

// stopWords are English words that say nothing about a problem. What else is
// common in a tenant, in any language, its own document frequencies tell.
var stopWords = func() map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(`
		a about after again all also although always am an and another any anyone anything are aren around as at
		be because been before being but by came can cannot cant come could couldn
		did didn do does doesn doing don done dont each either else ever every few for from further
		get gets getting give go goes going gone got had has hasn have haven having he hello her here hi him his how however
		if im in instead into is isn it its itself ive just know let like ll look looks
		made make many may maybe me might more most much must my myself need needs never no nor not now
		of off on once one only or other others our out over own per please put
		quite rather re really regards said same say says see seem seems she should shouldn since so some someone something still such sure
		take than thank thanks that the their them then there these they thing things think this those though through thx to too tried try trying
		under until up us use used using ve very via want wants was wasn way we well were weren what when where whether which while who why will
		wish with without won would wouldn yes yet you your
		http https www com`) {
		set[w] = true
	}
	return set
}()
