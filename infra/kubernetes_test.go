package main

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/yannh/kubeconform/pkg/validator"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// manifests are the objects of an overlay over kubernetes/base, by kind and
// name; generated names are without their hash.
type manifests struct {
	text    []byte
	objects map[string]resource
}

// overlays are that of the stack, with every option, and the example by hand.
var overlays = sync.OnceValues(func() (map[string]manifests, error) {
	stages, err := all()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "kubernetes")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, os.DirFS("kubernetes")); err != nil {
		return nil, err
	}
	s := stages["options"]
	text := s.plausible(flat(s.parameter().get("Value")))
	if err := os.MkdirAll(filepath.Join(dir, "prod"), 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "prod", "kustomization.yaml"), []byte(text), 0o600); err != nil {
		return nil, err
	}
	done := map[string]manifests{}
	for _, name := range []string{"prod", "example"} {
		if done[name], err = kustomize(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	return done, nil
})

// parameter is what keeps the overlay.
func (s synthesis) parameter() resource {
	for _, r := range s.Resources {
		if r.Type == "AWS::SSM::Parameter" {
			return r
		}
	}
	return resource{}
}

func kustomize(dir string) (manifests, error) {
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return manifests{}, err
	}
	m := manifests{objects: map[string]resource{}}
	if m.text, err = made.AsYaml(); err != nil {
		return manifests{}, err
	}
	for _, one := range made.Resources() {
		text, err := one.MarshalJSON()
		if err != nil {
			return manifests{}, err
		}
		object := resource{id: one.GetKind() + " " + one.GetName(), Type: one.GetKind()}
		if err := json.Unmarshal(text, &object.Properties); err != nil {
			return manifests{}, err
		}
		m.objects[one.GetKind()+" "+one.OrgId().Name] = object
	}
	return m, nil
}

// of gives the objects of a kind, at least one.
func (m manifests) of(t *testing.T, kind string) []resource {
	t.Helper()
	var list []resource
	for _, name := range slices.Sorted(maps.Keys(m.objects)) {
		if m.objects[name].Type == kind {
			list = append(list, m.objects[name])
		}
	}
	if len(list) == 0 {
		t.Fatalf("no %s", kind)
	}
	return list
}

func eachOverlay(t *testing.T, test func(*testing.T, manifests)) {
	t.Helper()
	list, err := overlays()
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range list {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, m)
		})
	}
}

// pods are the pod templates of all workloads, by name.
func (m manifests) pods() map[string]resource {
	list := map[string]resource{}
	for _, object := range m.objects {
		if object.get("spec.template") != nil {
			list[object.text("metadata.name")] = object.pod()
		}
	}
	return list
}

// pod is the template of a workload's pods.
func (r resource) pod() resource {
	template, _ := r.get("spec.template").(map[string]any)
	return resource{id: r.id, Properties: template}
}

// container is the only one of a pod.
func (r resource) container(t *testing.T) resource {
	t.Helper()
	list, _ := r.get("spec.containers").([]any)
	if len(list) != 1 {
		t.Fatalf("%s: %d containers", r.id, len(list))
	}
	return resource{id: r.id, Properties: list[0].(map[string]any)}
}

// schemaVersion is the release of Kubernetes whose schemas hold the manifests:
// that of the cluster.
const schemaVersion = "v" + clusterVersion + ".2"

// TestManifestsAreWhatKubernetesTakes validates each object, with no field that
// the schema of its kind does not have. Those are made of the API's description
// in the module of Kubernetes.
func TestManifestsAreWhatKubernetesTakes(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", "k8s.io/kubernetes@"+schemaVersion).Output()
	if err != nil {
		t.Fatal(err, string(out))
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	schemas(t, filepath.Join(module.Dir, "api", "openapi-spec", "swagger.json"), dir)
	v, err := validator.New([]string{dir + "/{{.ResourceKind}}{{.KindSuffix}}.json"}, validator.Opts{
		Strict: true, SkipKinds: map[string]struct{}{"ClusterIssuer": {}}, // of cert-manager
	})
	if err != nil {
		t.Fatal(err)
	}
	validate := func(text string) (bad []string) {
		for _, one := range v.Validate("manifests", noClose{strings.NewReader(text)}) {
			if one.Status != validator.Valid && one.Status != validator.Skipped && one.Status != validator.Empty {
				bad = append(bad, one.Err.Error())
			}
		}
		return bad
	}
	eachOverlay(t, func(t *testing.T, m manifests) {
		for _, bad := range validate(string(m.text)) {
			t.Error(bad)
		}
		if len(validate(strings.Replace(string(m.text), "maxUnavailable:", "maxUnavailabel:", 1))) == 0 {
			t.Error("a misspelt field is not noticed")
		}
	})
}

type noClose struct{ *strings.Reader }

// Close implements io.Closer.
func (noClose) Close() error { return nil }

// schemas writes a JSON schema for each kind of a description of the API.
func schemas(t *testing.T, swagger, dir string) {
	t.Helper()
	text, err := os.ReadFile(swagger)
	if err != nil {
		t.Fatal(err)
	}
	var api struct {
		Definitions map[string]map[string]any `json:"definitions"`
	}
	if err := json.Unmarshal(text, &api); err != nil {
		t.Fatal(err)
	}
	write := func(name string, v any) {
		text, err := json.Marshal(v)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, definition := range api.Definitions {
		kinds, _ := definition["x-kubernetes-group-version-kind"].([]any)
		for _, k := range kinds {
			kind := resource{Properties: k.(map[string]any)}
			group, _, _ := strings.Cut(kind.text("group"), ".")
			file := strings.Join(slices.DeleteFunc([]string{kind.text("kind"), group, kind.text("version")}, func(s string) bool { return s == "" }), "-")
			write(strings.ToLower(file)+".json", map[string]any{"$ref": "definitions.json#/definitions/" + name})
		}
		strict(definition)
	}
	api.Definitions["io.k8s.apimachinery.pkg.api.resource.Quantity"] = map[string]any{"type": []string{"string", "number"}}
	write("definitions.json", api)
}

// strict makes JSON schema of a part of the API's description: no unknown
// fields, and numbers or texts where Kubernetes takes both.
func strict(v any) {
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			strict(one)
		}
	case map[string]any:
		for _, one := range v {
			strict(one)
		}
		if ref, ok := v["$ref"].(string); ok {
			v["$ref"] = "definitions.json" + ref
		}
		if v["format"] == "int-or-string" {
			v["type"] = []any{"string", "integer"}
			delete(v, "format")
		}
		if _, ok := v["properties"].(map[string]any); ok && v["type"] == "object" && v["additionalProperties"] == nil {
			v["additionalProperties"] = false
		}
	}
}

func TestPodsHaveTheVariablesOfTheFunctions(t *testing.T) {
	t.Parallel()
	s, m := options(t)
	pods := m.pods()
	for name, f := range s.functions(t) {
		if name == "migrate" {
			continue
		}
		want, got := map[string]string{}, m.variables(pods[name].container(t))
		for variable, value := range f.get("Environment.Variables").(map[string]any) {
			want[variable] = s.plausible(flat(value))
		}
		for _, own := range []string{"AWS_REGION", "DATABASE_CONNS"} {
			delete(got, own)
			delete(want, own)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-function +pod):\n%s", name, diff)
		}
	}
	for _, one := range s.of(t, "AWS::EKS::PodIdentityAssociation") {
		account := one.text("ServiceAccount")
		if pods[account].text("spec.serviceAccountName") != account || m.objects["ServiceAccount "+account].id == "" {
			t.Errorf("no pod has the account %s", account)
		}
	}
	for name := range pods {
		if s.functions(t)[name].id == "" {
			t.Errorf("%s is no function", name)
		}
	}
}

// options are the stage with every option, and its overlay.
func options(t *testing.T) (synthesis, manifests) {
	t.Helper()
	stages, err := all()
	if err != nil {
		t.Fatal(err)
	}
	list, err := overlays()
	if err != nil {
		t.Fatal(err)
	}
	return stages["options"], list["prod"]
}

// variables are what a container has from ConfigMaps.
func (m manifests) variables(container resource) map[string]string {
	list := map[string]string{}
	for _, from := range container.get("envFrom").([]any) {
		source := resource{Properties: from.(map[string]any)}
		for _, object := range m.objects {
			if object.Type == "ConfigMap" && object.text("metadata.name") == source.text("configMapRef.name") {
				data, _ := object.get("data").(map[string]any)
				for variable, value := range data {
					list[variable] = flat(value)
				}
			}
		}
	}
	return list
}

func TestTheOverlayHasWhatTheStageSays(t *testing.T) {
	t.Parallel()
	s, m := options(t)
	c := s.Stage.Cluster
	for _, want := range []struct{ object, path, text string }{
		{"Ingress webhook", "spec.ingressClassName", c.IngressClass},
		{"Ingress webhook", "spec.rules", `"` + c.Host + `"`},
		{"Ingress webhook", "spec.tls", `"` + c.Host + `"`},
		{"ClusterIssuer deskhand", "spec.acme.email", c.ACMEEmail},
		{"ClusterIssuer deskhand", "spec.acme.solvers", `"ingressClassName":"` + c.IngressClass + `"`},
	} {
		if got := m.objects[want.object].text(want.path); !strings.Contains(got, want.text) {
			t.Errorf("%s: %s is %s, want %s", want.object, want.path, got, want.text)
		}
	}
	for name, pod := range m.pods() {
		pod.container(t).want(t, map[string]any{"image": c.Image})
		if m.variables(pod.container(t))["AWS_REGION"] != s.Stage.Region {
			t.Errorf("%s has no region", name)
		}
	}
	if n := len(s.plausible(flat(s.parameter().get("Value")))); n > 8192 {
		t.Errorf("the overlay has %d characters, and a parameter takes 8192", n)
	} else {
		t.Logf("the overlay has about %d characters of 8192", n)
	}
}

// TestPodsAreRestricted holds every pod to what it does without.
func TestPodsAreRestricted(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, m manifests) {
		pods := m.pods()
		if len(pods) < 4 {
			t.Fatalf("only %d workloads", len(pods))
		}
		for name, pod := range pods {
			pod.want(t, map[string]any{
				"spec.automountServiceAccountToken": false, "spec.enableServiceLinks": false, "spec.serviceAccountName": name,
				"spec.securityContext.runAsNonRoot": true, "spec.securityContext.seccompProfile.type": "RuntimeDefault",
				"spec.hostNetwork": nil, "spec.hostPID": nil, "spec.volumes": nil, "spec.initContainers": nil,
			})
			container := pod.container(t)
			container.want(t, map[string]any{
				"command": []string{name}, "securityContext.allowPrivilegeEscalation": false, "securityContext.readOnlyRootFilesystem": true,
				"securityContext.capabilities": map[string]any{"drop": []string{"ALL"}}, "securityContext.privileged": nil,
			})
			for _, path := range []string{"resources.requests.cpu", "resources.requests.memory", "resources.limits.memory"} {
				if container.get(path) == nil {
					t.Errorf("%s: no %s", name, path)
				}
			}
			m.objects["ServiceAccount "+name].want(t, map[string]any{"automountServiceAccountToken": false})
			if image := container.text("image"); !strings.Contains(image, "/deskhand:v") {
				t.Errorf("%s: image %s", name, image)
			}
		}
		for _, level := range []string{"enforce", "audit", "warn"} {
			labels, _ := m.objects["Namespace "+namespace].get("metadata.labels").(map[string]any)
			if labels["pod-security.kubernetes.io/"+level] != "restricted" {
				t.Errorf("pod security: %v", labels)
			}
		}
	})
}

// TestNobodyMayWhatIsNotHisInTheCluster: roles are of the namespace, for people, and
// read no secrets.
func TestNobodyMayWhatIsNotHisInTheCluster(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, m manifests) {
		for name, object := range m.objects {
			if strings.HasPrefix(object.Type, "ClusterRole") || (object.text("metadata.namespace") != namespace && name != "Namespace "+namespace && object.Type != "ClusterIssuer") {
				t.Errorf("%s is outside of %s", name, namespace)
			}
		}
		for _, role := range m.of(t, "Role") {
			if rules := role.text("rules"); strings.Contains(rules, "*") || strings.Contains(rules, "secrets") || strings.Contains(rules, "exec") || strings.Contains(rules, "impersonate") {
				t.Errorf("%s: %s", role.id, rules)
			}
		}
		for _, binding := range m.of(t, "RoleBinding") {
			for _, one := range binding.get("subjects").([]any) {
				if subject := one.(map[string]any); subject["kind"] != "Group" {
					t.Errorf("%s: %v", binding.id, subject)
				}
			}
		}
	})
}

// TestTheNetworkIsClosedButForWhatIsNeeded writes all policies out.
func TestTheNetworkIsClosedButForWhatIsNeeded(t *testing.T) {
	t.Parallel()
	dns, ingress := `{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"kube-system"}},"podSelector":{"matchLabels":{"k8s-app":"kube-dns"}}}`,
		`{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"ingress"}}}`
	eachOverlay(t, func(t *testing.T, m manifests) {
		network := "10.0.0.0/8"
		if strings.HasSuffix(t.Name(), "/prod") {
			network = vpcAddresses
		}
		got := map[string]string{}
		for _, p := range m.of(t, "NetworkPolicy") {
			got[p.text("metadata.name")] = p.text("spec")
		}
		block := func(cidr string) string { return `{"ipBlock":{"cidr":"` + cidr + `"}}` }
		tcp := func(port string) string { return `{"port":` + port + `,"protocol":"TCP"}` }
		want := map[string]string{
			"nothing": `{"podSelector":{},"policyTypes":["Ingress","Egress"]}`,
			"names":   `{"egress":[{"ports":[{"port":53,"protocol":"UDP"},` + tcp("53") + `],"to":[` + dns + "," + block("172.20.0.10/32") + `]}],"podSelector":{},"policyTypes":["Egress"]}`,
			"stores": `{"egress":[{"ports":[` + tcp("5432") + "," + tcp("6379") + "," + tcp("443") + `],"to":[` + block(network) + `]},{"ports":[` + tcp("80") + `],"to":[` + block("169.254.170.23/32") +
				`]}],"podSelector":{"matchLabels":{"app.kubernetes.io/part-of":"deskhand"}},"policyTypes":["Egress"]}`,
			"outside": `{"egress":[{"ports":[` + tcp("443") + `],"to":[{"ipBlock":{"cidr":"0.0.0.0/0","except":["169.254.0.0/16"]}}]}],` +
				`"podSelector":{"matchExpressions":[{"key":"app.kubernetes.io/name","operator":"In","values":["enhance","catalogue","admin"]}]},"policyTypes":["Egress"]}`,
			"webhooks":     `{"ingress":[{"from":[` + ingress + `],"ports":[` + tcp("8080") + `]}],"podSelector":{"matchExpressions":[{"key":"app.kubernetes.io/name","operator":"In","values":["webhook","admin"]}]},"policyTypes":["Ingress"]}`,
			"certificates": `{"ingress":[{"from":[` + ingress + `],"ports":[` + tcp("8089") + `]}],"podSelector":{"matchLabels":{"acme.cert-manager.io/http01-solver":"true"}},"policyTypes":["Ingress"]}`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestSelectorsFindTheirPods looks at what no schema sees.
func TestSelectorsFindTheirPods(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, m manifests) {
		for _, d := range m.of(t, "Deployment") {
			name := d.text("metadata.name")
			labels := map[string]any{"app.kubernetes.io/name": name}
			d.want(t, map[string]any{"spec.selector.matchLabels": labels, "spec.strategy.rollingUpdate.maxUnavailable": 0})
			d.want(t, map[string]any{"spec.template.metadata.labels": map[string]any{"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "deskhand"}})
			m.objects["PodDisruptionBudget "+name].want(t, map[string]any{"spec.selector.matchLabels": labels, "spec.maxUnavailable": 1})
			spread := d.text("spec.template.spec.topologySpreadConstraints")
			if !strings.Contains(spread, `"topology.kubernetes.io/zone"`) || !strings.Contains(spread, `"app.kubernetes.io/part-of":"deskhand"`) || !strings.Contains(spread, `"matchLabelKeys":["app.kubernetes.io/name"`) {
				t.Errorf("%s is not spread: %s", name, spread)
			}
			for _, probe := range []string{"livenessProbe", "readinessProbe"} {
				if path := d.pod().container(t).text(probe + ".httpGet.path"); path != "/healthz" && path != "/readyz" {
					t.Errorf("%s: %s asks %q", name, probe, path)
				}
			}
		}
		for _, h := range m.of(t, "HorizontalPodAutoscaler") {
			h.want(t, map[string]any{"spec.scaleTargetRef": map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": h.text("metadata.name")}})
			if m.objects["Deployment "+h.text("metadata.name")].get("spec.replicas") != nil {
				t.Errorf("%s: each apply would undo its scale", h.id)
			}
		}
		for _, name := range []string{"webhook", "admin"} {
			m.objects["Service "+name].want(t, map[string]any{"spec.selector": map[string]any{"app.kubernetes.io/name": name}, "spec.type": nil})
		}
		var led []string
		for _, one := range m.objects["Ingress webhook"].get("spec.rules").([]any)[0].(map[string]any)["http"].(map[string]any)["paths"].([]any) {
			path := resource{Properties: one.(map[string]any)}
			led = append(led, path.text("path")+" "+path.text("backend.service.name"))
		}
		if diff := cmp.Diff([]string{"/webhook webhook", "/feedback admin"}, led); diff != "" {
			t.Errorf("the ingress leads elsewhere:\n%s", diff)
		}
	})
}

// TestPodsAtTheirLargestFit into the quota of the namespace, and into Postgres.
func TestPodsAtTheirLargestFit(t *testing.T) {
	t.Parallel()
	eachOverlay(t, func(t *testing.T, m manifests) {
		var cpu, requested, limit, pods, conns int
		for _, d := range m.of(t, "Deployment") {
			name := d.text("metadata.name")
			most := d.get("spec.replicas")
			if h, ok := m.objects["HorizontalPodAutoscaler "+name]; ok {
				most = h.get("spec.maxReplicas")
			}
			n := int(most.(float64))
			container := d.pod().container(t)
			for _, one := range container.get("env").([]any) {
				if env := one.(map[string]any); env["name"] == "DATABASE_CONNS" {
					pool, _ := strconv.Atoi(flat(env["value"]))
					if name == "admin" {
						pool *= 2 // app_user and admin_user
					}
					conns += n * pool
				}
			}
			n++ // maxSurge
			pods += n
			cpu += n * amount(t, container.text("resources.requests.cpu"), "m")
			requested += n * amount(t, container.text("resources.requests.memory"), "Mi")
			limit += n * amount(t, container.text("resources.limits.memory"), "Mi")
		}
		quota := m.objects["ResourceQuota deskhand"]
		hard := func(name string) string { return flat(quota.get("spec.hard").(map[string]any)[name]) }
		for name, c := range map[string]struct {
			need, have int
		}{
			"pods": {pods, amount(t, hard("pods"), "")}, "requests.cpu": {cpu, 1000 * amount(t, hard("requests.cpu"), "")},
			"requests.memory": {requested, 1024 * amount(t, hard("requests.memory"), "Gi")}, "limits.memory": {limit, 1024 * amount(t, hard("limits.memory"), "Gi")},
		} {
			if c.need > c.have {
				t.Errorf("the pods may need %d of %s, and the quota is %d", c.need, name, c.have)
			}
		}
		if conns != podConns {
			t.Errorf("the pods may open %d connections, and podConns is %d", conns, podConns)
		}
		for _, name := range []string{"services.loadbalancers", "services.nodeports", "persistentvolumeclaims"} {
			if hard(name) != "0" {
				t.Errorf("the quota of %s is %s", name, hard(name))
			}
		}
	})
}

// amount reads 250m, 512Mi.
func amount(t *testing.T, text, unit string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSuffix(text, unit))
	if err != nil {
		t.Fatalf("%q is no amount of %s", text, unit)
	}
	return n
}
