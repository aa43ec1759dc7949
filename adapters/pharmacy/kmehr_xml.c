// From bytes to a document, with nothing fetched, nothing expanded, and bounds; and its validation.
#include "kmehr_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/xmlschemas.h>

struct kmehr_schema {
    xmlSchema *schema;
};

// ---- Parsing

struct guard {
    size_t elements;
    enum medication_fault fault;
    const char *rule, *text;
    int line;
};

static void stop(xmlParserCtxt *parser, enum medication_fault fault, const char *rule, const char *text)
{
    struct guard *guard = parser->_private;
    if (guard->fault == MEDICATION_FAULT_NONE) {
        guard->fault = fault;
        guard->rule = rule;
        guard->text = text;
        guard->line = xmlSAX2GetLineNumber(parser);
    }
    xmlStopParser(parser);
}

// Before a DTD's first declaration is looked at.
static void refuse_dtd(void *arg, const xmlChar *name, const xmlChar *external, const xmlChar *system)
{
    (void)name;
    (void)external;
    (void)system;
    stop(arg, MEDICATION_FAULT_FORBIDDEN, "no-dtd", "it has a document type declaration; send it without one");
}

static void start_element(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri, int n_namespaces,
                          const xmlChar **namespaces, int n_attributes, int n_defaulted, const xmlChar **attributes)
{
    xmlParserCtxt *parser = arg;
    struct guard *guard = parser->_private;
    if (parser->nodeNr >= KMEHR_DEPTH_MAX)
        stop(parser, MEDICATION_FAULT_SIZE, "depth", "elements are more than 32 levels deep");
    else if (++guard->elements > KMEHR_ELEMENTS_MAX)
        stop(parser, MEDICATION_FAULT_SIZE, "elements", "it has more than 200000 elements");
    else
        xmlSAX2StartElementNs(parser, name, prefix, uri, n_namespaces, namespaces, n_attributes, n_defaulted,
                              attributes);
}

static bool fail(struct medication_error *error, enum medication_fault fault, const char *rule, const char *text,
                 int line)
{
    kmehr_describe(NULL, fault, rule, text, error);
    error->line = line > 0 ? (size_t)line : 0;
    return false;
}

// libxml2's own messages quote the document.
static const char *explain(int code)
{
    switch (code) {
    case XML_ERR_DOCUMENT_EMPTY:
        return "there is no XML document in it";
    case XML_ERR_UNDECLARED_ENTITY:
    case XML_WAR_UNDECLARED_ENTITY:
        return "it refers to an entity other than the five of XML; send the character itself";
    case XML_ERR_INVALID_ENCODING:
    case XML_ERR_INVALID_CHAR:
        return "there are bytes here that are no characters in the encoding of the XML declaration; correct either";
    case XML_ERR_UNKNOWN_ENCODING:
    case XML_ERR_UNSUPPORTED_ENCODING:
        return "its encoding is not known; send UTF-8 or ISO-8859-1";
    case XML_ERR_TAG_NAME_MISMATCH:
        return "an end tag does not match the start tag of its element";
    case XML_ERR_TAG_NOT_FINISHED:
    case XML_ERR_DOCUMENT_END:
        return "it ends, or goes on, where the document should not; it may have been cut short";
    case XML_NS_ERR_UNDEFINED_NAMESPACE:
        return "a prefix is not bound to a namespace";
    case XML_ERR_NO_MEMORY:
        return "the adapter is out of memory; send it again";
    default:
        return "it is not well-formed XML here";
    }
}

static bool encoding_is_taken(const xmlDoc *doc)
{
    static const char *const taken[] = {"UTF-8",      "ISO-8859-1",  "ISO-8859-15", "US-ASCII", "ASCII", "windows-1252",
                                        "ISO_8859-1", "ISO_8859-15", "ISO-LATIN-1", "latin1",   "utf8"};
    if (doc->encoding == NULL)
        return true;
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        if (strcasecmp((const char *)doc->encoding, taken[i]) == 0)
            return true;
    return false;
}

static bool check(const xmlParserCtxt *parser, const xmlDoc *doc, const struct guard *guard,
                  struct medication_error *error)
{
    if (guard->fault != MEDICATION_FAULT_NONE)
        return fail(error, guard->fault, guard->rule, guard->text, guard->line);
    // An undeclared prefix does not make XML ill-formed, but what it means nobody knows.
    if (doc == NULL || !parser->wellFormed || !parser->nsWellFormed) {
        int code = parser->lastError.code;
        enum medication_fault fault = code == XML_ERR_NO_MEMORY ? MEDICATION_FAULT_MEMORY : MEDICATION_FAULT_SYNTAX;
        return fail(error, fault, "well-formed", explain(code), parser->lastError.line);
    }
    if (!encoding_is_taken(doc))
        return fail(error, MEDICATION_FAULT_FORBIDDEN, "encoding",
                    "its encoding is not taken; send UTF-8 or ISO-8859-1", 1);
    return true;
}

xmlDoc *kmehr_parse(const void *bytes, size_t len, struct medication_error *error)
{
    struct guard guard = {0};
    if (len > KMEHR_MESSAGE_MAX_BYTES) {
        fail(error, MEDICATION_FAULT_SIZE, "bytes", "it has more than 4 MiB", 0);
        return NULL;
    }
    xmlParserCtxt *parser = xmlNewParserCtxt();
    if (parser == NULL) {
        fail(error, MEDICATION_FAULT_MEMORY, "memory", explain(XML_ERR_NO_MEMORY), 0);
        return NULL;
    }
    parser->_private = &guard;
    parser->sax->internalSubset = refuse_dtd;
    parser->sax->startElementNs = start_element;
    xmlDoc *doc = xmlCtxtReadMemory(parser, bytes, (int)len, NULL, NULL,
                                    XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA |
                                        XML_PARSE_BIG_LINES);
    if (!check(parser, doc, &guard, error)) {
        xmlFreeDoc(doc != NULL ? doc : parser->myDoc);
        parser->myDoc = NULL;
        doc = NULL;
    }
    xmlFreeParserCtxt(parser);
    return doc;
}

// ---- Validation

static void ignore(void *arg, xmlError *error)
{
    (void)arg;
    (void)error;
}

static void note_code(void *arg, xmlError *found)
{
    int *code = arg;
    if (*code == 0)
        *code = found->code;
}

// Whether the schema has the element kmehrmessage at all: of the files of KMEHR, one has types only.
static bool declares_message(xmlSchema *schema)
{
    int code = 0;
    xmlDoc *doc = xmlNewDoc(NULL);
    xmlNode *message = doc != NULL ? xmlNewDocNode(doc, NULL, (const xmlChar *)"kmehrmessage", NULL) : NULL;
    xmlSchemaValidCtxt *validator = message != NULL ? xmlSchemaNewValidCtxt(schema) : NULL;
    if (validator != NULL) {
        xmlDocSetRootElement(doc, message);
        xmlSetNs(message, xmlNewNs(message, (const xmlChar *)KMEHR_NAMESPACE, NULL));
        xmlSchemaSetValidStructuredErrors(validator, note_code, &code);
        xmlSchemaValidateOneElement(validator, message);
        xmlSchemaFreeValidCtxt(validator);
    }
    xmlFreeDoc(doc);
    return validator != NULL && code != XML_SCHEMAV_CVC_ELT_1;
}

struct kmehr_schema *kmehr_schema_new(const char *path, struct medication_error *error)
{
    struct kmehr_schema *self = calloc(1, sizeof *self);
    // libxml2 would write to stderr about a file that it cannot open.
    bool readable = access(path, R_OK) == 0;
    xmlSchemaParserCtxt *parser = self != NULL && readable ? xmlSchemaNewParserCtxt(path) : NULL;
    if (parser != NULL) {
        // What an XSD imports is read from where it says; never from the network.
        xmlExternalEntityLoader usual = xmlGetExternalEntityLoader();
        xmlSetExternalEntityLoader(xmlNoNetExternalEntityLoader);
        xmlSchemaSetParserStructuredErrors(parser, ignore, NULL);
        self->schema = xmlSchemaParse(parser);
        xmlSetExternalEntityLoader(usual);
        xmlSchemaFreeParserCtxt(parser);
    }
    if (self != NULL && self->schema != NULL && declares_message(self->schema))
        return self;
    bool read = self != NULL && self->schema != NULL;
    kmehr_schema_destroy(&self);
    fail(error, MEDICATION_FAULT_CONFIGURATION, "schema-file",
         read ? "the XSD does not declare kmehrmessage; give the path of kmehr_elements-1_43.xsd"
              : "the XSD cannot be read or used; give the path of kmehr_elements-1_43.xsd, with what it includes "
                "beside it",
         0);
    return NULL;
}

void kmehr_schema_destroy(struct kmehr_schema **self)
{
    if (*self == NULL)
        return;
    if ((*self)->schema != NULL)
        xmlSchemaFree((*self)->schema);
    free(*self);
    *self = NULL;
}

static const char *explain_schema(int code)
{
    switch (code) {
    case XML_SCHEMAV_ELEMENT_CONTENT:
    case XML_SCHEMAV_CVC_COMPLEX_TYPE_2_4:
        return "the XSD does not have this element here, or has another one before it";
    case XML_SCHEMAV_MISSING:
        return "the XSD has an element here that is missing";
    case XML_SCHEMAV_CVC_COMPLEX_TYPE_4:
        return "the XSD has an attribute on this element that is missing";
    case XML_SCHEMAV_CVC_COMPLEX_TYPE_3_2_1:
    case XML_SCHEMAV_CVC_COMPLEX_TYPE_3_2_2:
        return "the XSD does not have one of this element's attributes";
    case XML_SCHEMAV_CVC_ENUMERATION_VALID:
        return "the value is none of those that the XSD lists";
    case XML_SCHEMAV_CVC_DATATYPE_VALID_1_2_1:
    case XML_SCHEMAV_CVC_DATATYPE_VALID_1_2_2:
    case XML_SCHEMAV_CVC_DATATYPE_VALID_1_2_3:
    case XML_SCHEMAV_CVC_PATTERN_VALID:
    case XML_SCHEMAV_CVC_LENGTH_VALID:
    case XML_SCHEMAV_CVC_MINLENGTH_VALID:
    case XML_SCHEMAV_CVC_MAXLENGTH_VALID:
        return "the value is not of the type that the XSD has for it";
    default:
        return "it is not as the XSD has it";
    }
}

// The first error counts: those behind it often only follow from it.
static void note_error(void *arg, xmlError *found)
{
    struct medication_error *error = arg;
    if (error->fault == MEDICATION_FAULT_NONE && found->level >= XML_ERR_ERROR)
        kmehr_describe(found->node, MEDICATION_FAULT_SCHEMA, "xsd", explain_schema(found->code), error);
}

bool kmehr_validate(const struct kmehr_schema *schema, xmlNode *message, struct medication_error *error)
{
    struct medication_error found = {0};
    xmlSchemaValidCtxt *validator = xmlSchemaNewValidCtxt(schema->schema);
    if (validator == NULL)
        return fail(error, MEDICATION_FAULT_MEMORY, "memory", explain(XML_ERR_NO_MEMORY), 0);
    xmlSchemaSetValidStructuredErrors(validator, note_error, &found);
    int result = xmlSchemaValidateOneElement(validator, message);
    xmlSchemaFreeValidCtxt(validator);
    if (result == 0)
        return true;
    if (found.fault == MEDICATION_FAULT_NONE)
        kmehr_describe(message, MEDICATION_FAULT_SCHEMA, "xsd", explain_schema(0), &found);
    *error = found;
    return false;
}
