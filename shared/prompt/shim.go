package prompt

import "github.com/deskhand/deskhand/shared/llm"

func Repair(r llm.Request, answer, problem string) llm.Request { r.User += problem; return r }
