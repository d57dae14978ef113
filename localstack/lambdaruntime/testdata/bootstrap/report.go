package main

import (
	"bytes"
	"net/http"
	"os"
)

// report tells the runtime API that the init phase failed.
func report() {
	body := bytes.NewReader([]byte(`{"errorMessage":"no database","errorType":"Extension.Boom"}`))
	resp, err := http.Post("http://"+os.Getenv("AWS_LAMBDA_RUNTIME_API")+"/2018-06-01/runtime/init/error", "application/json", body)
	if err != nil {
		panic(err)
	}
	_ = resp.Body.Close()
}
