package chromium

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/proto"

	"github.com/oauthmux/oauthmux/accounts"
)

//go:embed look.js
var lookScript string

// recipe is a PageRecipe that is ready to be held against pages. A nil expression
// is not asked for.
type recipe struct {
	accounts.PageRecipe
	path, title, text, frame, grant *regexp.Regexp
}

func compile(recipes []accounts.PageRecipe) ([]recipe, error) {
	compiled := make([]recipe, len(recipes))
	for i, r := range recipes {
		c := recipe{PageRecipe: r}
		for _, e := range []struct {
			text string
			to   **regexp.Regexp
		}{{r.Path, &c.path}, {r.Title, &c.title}, {r.Text, &c.text}, {r.Frame, &c.frame}, {r.Grant, &c.grant}} {
			if e.text == "" {
				continue
			}
			compiledText, err := regexp.Compile(e.text)
			if err != nil {
				return nil, fmt.Errorf("recipe of a page (%s): %w", r.Kind, err)
			}
			*e.to = compiledText
		}
		compiled[i] = c
	}
	return compiled, nil
}

// sight is what a page shows.
type sight struct {
	url     *url.URL // of the page, or of the one in whose place an error is shown
	address string   // the same, without its fragment
	failed  bool     // the page never came
	loader  string   // the document
	context proto.RuntimeExecutionContextID

	Ready     bool       `json:"ready"`    // it can be looked at
	Complete  bool       `json:"complete"` // all that it asked for at first has come
	Title     string     `json:"title"`
	Text      string     `json:"text"`
	Selectors []bool     `json:"selectors"` // of each recipe: an element of it is visible
	Labels    [][]string `json:"labels"`    // of each recipe: of the buttons that could be pressed
	Frames    []string   `json:"frames"`    // addresses
}

// look looks at a page. An error is no news: pages come and go while they are
// looked at.
func look(ctx context.Context, page *rod.Page, recipes []recipe) (*sight, error) {
	page = page.Context(ctx)
	tree, err := proto.PageGetFrameTree{}.Call(page)
	if err != nil {
		return nil, err
	}
	main := tree.FrameTree.Frame
	s := &sight{loader: string(main.LoaderID), failed: main.UnreachableURL != ""}
	address := main.URL
	if s.failed {
		address = main.UnreachableURL
	}
	s.address = address
	if s.url, err = url.Parse(address); err != nil {
		return nil, err
	}
	if s.failed {
		return s, nil
	}
	world, err := proto.PageCreateIsolatedWorld{FrameID: main.ID, WorldName: "oauthmux"}.Call(page)
	if err != nil {
		return nil, err
	}
	s.context = world.ExecutionContextID
	selectors, presses := make([]string, len(recipes)), make([]string, len(recipes))
	for i, r := range recipes {
		selectors[i], presses[i] = r.Selector, r.Press
	}
	if err := call(page, s.context, "look", s, selectors, presses); err != nil {
		return nil, err
	}
	if len(s.Selectors) != len(recipes) || len(s.Labels) != len(recipes) {
		return nil, fmt.Errorf("the page answered for %d recipes of %d", len(s.Selectors), len(recipes))
	}
	s.Frames = append(s.Frames, frames(tree.FrameTree)...)
	return s, nil
}

// frames are the addresses of what a page is made of, in this process of the
// browser. Those in others are targets of their own.
func frames(tree *proto.PageFrameTree) []string {
	var urls []string
	for _, child := range tree.ChildFrames {
		urls = append(append(urls, child.Frame.URL), frames(child)...)
	}
	return urls
}

// call calls a function of look.js in a world of the page, and puts what it
// returns in to.
func call(page *rod.Page, world proto.RuntimeExecutionContextID, function string, to any, args ...any) error {
	list, err := json.Marshal(args)
	if err != nil {
		return err
	}
	res, err := proto.RuntimeEvaluate{
		Expression:    "(" + lookScript + ")." + function + "(..." + string(list) + ")",
		ContextID:     world,
		ReturnByValue: true,
	}.Call(page)
	if err != nil {
		return err
	}
	if res.ExceptionDetails != nil {
		return fmt.Errorf("%s: %s", function, res.ExceptionDetails.Text)
	}
	return json.Unmarshal([]byte(res.Result.Value.JSON("", "")), to)
}

// judgement is what a page is taken for.
type judgement struct {
	kind   accounts.PageKind
	words  string   // of the recipe
	press  string   // where its buttons are
	labels []string // of the buttons that would grant
}

// judge takes the page for what the first recipe that holds says. Nowhere but on
// hosts that may grant is a page one that asks for consent.
func judge(s *sight, recipes []recipe, p places) judgement {
	if s.failed {
		return judgement{kind: accounts.PageUnknown}
	}
	for i, r := range recipes {
		if r.Kind == accounts.PageConsent && !p.grants(s.url) {
			continue
		}
		j := judgement{kind: r.Kind, words: r.Words}
		if r.grants() {
			j.press, j.labels = r.Press, granting(r.grant, s.Labels[i])
		}
		if holds(r, s, s.Selectors[i], len(j.labels) > 0) {
			return j
		}
	}
	return judgement{kind: accounts.PageUnknown, words: "shows a page that is not known"}
}

// grants reports whether the recipe names a button that grants.
func (r *recipe) grants() bool {
	return r.Kind == accounts.PageConsent && r.Press != "" && r.grant != nil
}

// granting are those of the labels that a button which grants has.
func granting(grant *regexp.Regexp, labels []string) []string {
	var found []string
	for _, label := range labels {
		if grant.MatchString(label) {
			found = append(found, label)
		}
	}
	return found
}

// holds reports whether everything that a recipe asks for is so. One that asks for
// nothing holds where its button is, and where it has none nowhere.
func holds(r recipe, s *sight, visible, button bool) bool {
	if r.path == nil && r.title == nil && r.text == nil && r.frame == nil && r.Selector == "" {
		return button
	}
	return (r.path == nil || r.path.MatchString(s.url.Path)) &&
		(r.title == nil || r.title.MatchString(s.Title)) &&
		(r.text == nil || r.text.MatchString(s.Text)) &&
		(r.Selector == "" || visible) &&
		(r.frame == nil || anyHost(r.frame, s.Frames))
}

func anyHost(host *regexp.Regexp, addresses []string) bool {
	for _, address := range addresses {
		if u, err := url.Parse(address); err == nil && host.MatchString(u.Hostname()) {
			return true
		}
	}
	return false
}
