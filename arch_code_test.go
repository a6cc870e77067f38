package passiflow_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
)

// components are folders whose packages are one component each, with a face
// that is the same everywhere.
var components = []string{"source", "protocol", "sink", "format"}

// extras are what components export besides, each for a reason.
var extras = map[string][]string{
	// How records share the body of a request.
	"sink/webhook": {"Batch", "Lines", "Array", "Each"},
	// What is written here is read here, too.
	"format/record": {"Append", "Magic", "NewReader", "Reader", "Record", "Stats", "TCP", "Unmarshal", "ErrForeign", "ErrLength", "ErrShort"},
}

// notComponents are packages in those folders that are libraries.
var notComponents = []string{"source/filter"}

func TestComponentsHaveOneFace(t *testing.T) {
	faces := map[string]map[string]bool{}
	eachFile(t, func(pkg, name string, src []byte) {
		if !slices.Contains(components, path.Dir(pkg)) || kit(pkg) || slices.Contains(notComponents, pkg) || strings.HasSuffix(name, "_test.go") {
			return
		}
		if faces[pkg] == nil {
			faces[pkg] = map[string]bool{}
		}
		for _, n := range declared(parsed(t, name, src)) {
			if n.IsExported() {
				faces[pkg][n.Name] = true
			}
		}
	})
	for pkg, face := range faces {
		if !face["Config"] || !face["DefaultConfig"] || face["New"] == face["Open"] {
			t.Errorf("%s: a component exports Config, DefaultConfig and either New or Open", pkg)
		}
		for _, n := range append([]string{"Config", "DefaultConfig", "New", "Open"}, extras[pkg]...) {
			delete(face, n)
		}
		for n := range face {
			t.Errorf("%s exports %s besides Config, DefaultConfig and New or Open", pkg, n)
		}
	}
	if len(faces) < 10 {
		t.Errorf("%d components found", len(faces))
	}
}

// TestGlobalsAreConstant finds variables of packages that are assigned after
// they were made, and those whose type is there to be changed.
func TestGlobalsAreConstant(t *testing.T) {
	globals := map[string]map[string]*ast.ValueSpec{} // by package
	files := map[string][]*ast.File{}
	eachFile(t, func(pkg, name string, src []byte) {
		if strings.HasSuffix(name, "_test.go") {
			return
		}
		f := parsed(t, name, src)
		files[pkg] = append(files[pkg], f)
		if globals[pkg] == nil {
			globals[pkg] = map[string]*ast.ValueSpec{}
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				for _, n := range v.Names {
					if n.Name != "_" {
						globals[pkg][n.Name] = v
					}
				}
				ast.Inspect(v, func(n ast.Node) bool {
					switch n := n.(type) {
					case *ast.FuncLit:
						return false
					case *ast.MapType, *ast.ChanType:
						t.Errorf("%s: %s can be changed", name, v.Names[0].Name)
					case *ast.SelectorExpr:
						if x, ok := n.X.(*ast.Ident); ok && (x.Name == "sync" || x.Name == "atomic") {
							t.Errorf("%s: %s can be changed: %s.%s", name, v.Names[0].Name, x.Name, n.Sel.Name)
						}
					}
					return true
				})
			}
		}
	})
	for pkg, all := range files {
		for _, f := range all {
			changed := func(e ast.Expr) {
				n := root(e)
				if n == nil || globals[pkg][n.Name] == nil {
					return
				}
				// Within a file the parser knows what a name stands for; one from
				// another file it leaves open.
				if n.Obj == nil || n.Obj.Decl == globals[pkg][n.Name] {
					t.Errorf("%s: the global %s is changed", pkg, n.Name)
				}
			}
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.AssignStmt:
					for _, e := range n.Lhs {
						if n.Tok != token.DEFINE {
							changed(e)
						}
					}
				case *ast.IncDecStmt:
					changed(n.X)
				}
				return true
			})
		}
	}
}

// root is the variable that an assignment to e changes: x of x[1].y.
func root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		default:
			return nil
		}
	}
}

func parsed(t *testing.T, name string, src []byte) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), name, src, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// declared returns the names that a file gives its package, without methods.
func declared(f *ast.File) (all []*ast.Ident) {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				all = append(all, d.Name)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					all = append(all, s.Name)
				case *ast.ValueSpec:
					all = append(all, s.Names...)
				}
			}
		}
	}
	return all
}
