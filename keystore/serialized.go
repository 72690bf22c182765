package keystore

import "fmt"

// A secret key of JCEKS is a Java object, serialized, without a length before it:
// to find where the next entry begins, one must know how such streams are built
// (Java Object Serialization Specification, section 6). Nothing is made of it.
const (
	streamMagic  = 0xaced0005
	javaNull     = 0x70
	javaRef      = 0x71
	javaClass    = 0x72
	javaObject   = 0x73
	javaString   = 0x74
	javaArray    = 0x75
	javaBlock    = 0x77
	javaEndBlock = 0x78

	hasWriteMethod = 1
	isSerializable = 2

	mostHandles = 64
	mostFields  = 32
	mostNested  = 8
)

// javaClassDesc is what a stream says of a class; only its own fields.
type javaClassDesc struct {
	name   string
	flags  int
	fields []byte // type codes
	super  *javaClassDesc
}

type objectReader struct {
	*javaReader
	handles []*javaClassDesc // nil for what is no class
}

// skipObject moves past one serialized object.
func (r *javaReader) skipObject() error {
	if magic := r.u32(); r.err == nil && magic != streamMagic {
		return fmt.Errorf("%w: no serialized object where a secret key belongs", ErrMalformed)
	}
	o := &objectReader{javaReader: r}
	o.content(0)
	return r.err
}

func (o *objectReader) fail(format string, args ...any) {
	if o.err == nil {
		o.err = fmt.Errorf("%w: in a serialized object: %s", ErrMalformed, fmt.Sprintf(format, args...))
	}
}

func (o *objectReader) handle(c *javaClassDesc) {
	if len(o.handles) >= mostHandles {
		o.fail("more than %d parts", mostHandles)
		return
	}
	o.handles = append(o.handles, c)
}

// content is one value that is an object; it tells its tag.
func (o *objectReader) content(depth int) int {
	if depth > mostNested {
		o.fail("objects in objects, more than %d deep", mostNested)
	}
	tag := o.u8()
	if o.err != nil {
		return 0
	}
	switch tag {
	case javaNull, javaEndBlock:
	case javaRef:
		o.take(4)
	case javaString:
		o.text()
		o.handle(nil)
	case javaBlock:
		o.take(o.u8())
	case javaObject:
		class := o.class(depth + 1)
		o.handle(nil)
		o.values(class, depth+1)
	case javaArray:
		class := o.class(depth + 1)
		o.handle(nil)
		o.array(class, depth+1)
	default:
		o.fail("tag %#02x", tag)
	}
	return tag
}

func (o *objectReader) class(depth int) *javaClassDesc {
	if depth > mostNested {
		o.fail("classes in classes, more than %d deep", mostNested)
	}
	switch tag := o.u8(); {
	case o.err != nil || tag == javaNull:
		return nil
	case tag == javaRef:
		i := o.u32() - 0x7e0000
		if o.err == nil && (i < 0 || i >= len(o.handles) || o.handles[i] == nil) {
			o.fail("a reference to nothing")
		}
		if o.err != nil {
			return nil
		}
		return o.handles[i]
	case tag != javaClass:
		o.fail("tag %#02x where a class belongs", tag)
		return nil
	}
	c := &javaClassDesc{name: o.text()}
	o.take(8) // serialVersionUID
	o.handle(c)
	c.flags = o.u8()
	count := o.u16()
	if count > mostFields {
		o.fail("a class of %d fields", count)
	}
	for i := 0; i < count && o.err == nil; i++ {
		kind := byte(o.u8())
		o.text()
		if kind == 'L' || kind == '[' {
			o.content(depth + 1) // the name of its class
		}
		c.fields = append(c.fields, kind)
	}
	o.untilEnd(depth)
	c.super = o.class(depth + 1)
	return c
}

// values are the fields of an object, those of the class above first.
func (o *objectReader) values(c *javaClassDesc, depth int) {
	if c == nil || o.err != nil {
		return
	}
	if depth > mostNested {
		o.fail("objects in objects, more than %d deep", mostNested)
		return
	}
	o.values(c.super, depth+1)
	if c.flags&isSerializable == 0 {
		o.fail("a class that writes itself")
		return
	}
	for _, kind := range c.fields {
		o.value(kind, depth)
	}
	if c.flags&hasWriteMethod != 0 {
		o.untilEnd(depth)
	}
}

func (o *objectReader) value(kind byte, depth int) {
	switch {
	case o.err != nil:
	case kind == 'L' || kind == '[':
		o.content(depth + 1)
	default:
		o.take(javaWidth(kind))
	}
}

func javaWidth(kind byte) int {
	switch kind {
	case 'B', 'Z':
		return 1
	case 'C', 'S':
		return 2
	case 'I', 'F':
		return 4
	case 'J', 'D':
		return 8
	}
	return -1 // which nothing has bytes for
}

func (o *objectReader) array(c *javaClassDesc, depth int) {
	size := o.u32()
	if o.err != nil {
		return
	}
	if c == nil || len(c.name) < 2 || c.name[0] != '[' {
		o.fail("an array of no class")
		return
	}
	kind := c.name[1]
	if kind == 'L' || kind == '[' {
		if size > mostFields {
			o.fail("an array of %d objects", size)
		}
		for i := 0; i < size && o.err == nil; i++ {
			o.value(kind, depth)
		}
		return
	}
	if width := javaWidth(kind); width > 0 && size <= MostSize {
		o.take(size * width)
		return
	}
	o.fail("an array of %d %q", size, kind)
}

// untilEnd moves past what a class added of its own.
func (o *objectReader) untilEnd(depth int) {
	for o.err == nil && o.content(depth+1) != javaEndBlock {
		continue
	}
}
