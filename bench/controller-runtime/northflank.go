package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// northflank is a client of the API, with one connection for each worker.
type northflank struct {
	url    string
	token  string
	client *http.Client
}

func newNorthflank(url, token string, workers int) *northflank {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = workers
	return &northflank{url: url, token: token, client: &http.Client{Transport: transport, Timeout: 30 * time.Second}}
}

// service is what this program reads of "get service".
type service struct {
	ID         string `json:"id"`
	UID        string `json:"uid"`
	Deployment struct {
		Instances *int `json:"instances"`
		External  struct {
			ImagePath string `json:"imagePath"`
		} `json:"external"`
	} `json:"deployment"`
	Status struct {
		Deployment struct {
			Status             string `json:"status"`
			Reason             string `json:"reason"`
			LastTransitionTime string `json:"lastTransitionTime"`
		} `json:"deployment"`
	} `json:"status"`
}

// getService reads a service.
func (n *northflank) getService(ctx context.Context, project, id string) (service, error) {
	var answer struct {
		Data service `json:"data"`
	}
	err := n.do(ctx, http.MethodGet, fmt.Sprintf("/v1/projects/%s/services/%s", project, id), nil, &answer)
	return answer.Data, err
}

// deploy declares the source of a service.
func (n *northflank) deploy(ctx context.Context, project, id string, source Source) error {
	body, err := json.Marshal(source)
	if err != nil {
		return err
	}
	path := fmt.Sprintf("/v1/projects/%s/services/%s/deployment", project, id)
	return n.do(ctx, http.MethodPost, path, bytes.NewReader(body), nil)
}

func (n *northflank) do(ctx context.Context, method, path string, body io.Reader, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, n.url+path, body)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+n.token)
	request.Header.Set("Content-Type", "application/json")
	response, err := n.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s", method, path, response.Status)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}
