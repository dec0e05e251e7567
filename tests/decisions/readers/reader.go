// Reads messages as a server in Go does, whose decoder ignores the case of names: base64url of one in each line, to
// [method, names, version].
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
)

type meta struct {
	Version *string `json:"io.modelcontextprotocol/protocolVersion"`
}

type message struct {
	Method *string         `json:"method"`
	Params json.RawMessage `json:"params"`
}

type named struct {
	Name string `json:"name"`
}

type located struct {
	URI string `json:"uri"`
}

type task struct {
	ID string `json:"taskId"`
}

type completion struct {
	Ref struct {
		Type string `json:"type"`
		// Only one of these is looked at, and the other may have any type.
		Name any `json:"name"`
		URI  any `json:"uri"`
	} `json:"ref"`
}

type subscriptions struct {
	Notifications struct {
		URIs []string `json:"resourceSubscriptions"`
	} `json:"notifications"`
}

func decode(text []byte, into any) {
	if err := json.Unmarshal(text, into); err != nil {
		fmt.Fprintf(os.Stderr, "%v: %s\n", err, text)
		os.Exit(1)
	}
}

func names(method string, params json.RawMessage) []any {
	switch method {
	case "tools/call", "prompts/get":
		var item named
		decode(params, &item)
		return []any{item.Name}
	case "resources/read", "resources/subscribe", "resources/unsubscribe":
		var item located
		decode(params, &item)
		return []any{item.URI}
	case "completion/complete":
		var item completion
		decode(params, &item)
		if item.Ref.Type == "ref/prompt" {
			return []any{item.Ref.Name}
		}
		return []any{item.Ref.URI}
	case "subscriptions/listen":
		var item subscriptions
		decode(params, &item)
		uris := []any{}
		for _, uri := range item.Notifications.URIs {
			uris = append(uris, uri)
		}
		return uris
	case "tasks/get", "tasks/update", "tasks/cancel":
		var item task
		decode(params, &item)
		return []any{item.ID}
	}
	return []any{}
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	for lines.Scan() {
		text, err := base64.RawURLEncoding.DecodeString(lines.Text())
		if err != nil {
			panic(err)
		}
		var read message
		decode(text, &read)
		if read.Params == nil {
			read.Params = json.RawMessage("{}")
		}
		var extra struct {
			Meta meta `json:"_meta"`
		}
		decode(read.Params, &extra)
		method := ""
		if read.Method != nil {
			method = *read.Method
		}
		if err := encoder.Encode([]any{read.Method, names(method, read.Params), extra.Meta.Version}); err != nil {
			panic(err)
		}
	}
}
