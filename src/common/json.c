/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - JSON over cJSON. cJSON is lenient (control characters, "01", a NUL in
 * the middle of a string, a thousand levels) and tells no cause, so a strict,
 * non-allocating check of the whole text comes first; what it passes and cJSON
 * then does not build ran out of memory. A tree that is only read is built here
 * from the checked text, in one piece: a token is to cost few
 * allocations. Printing is done here, because cJSON rounds large integers. No state; a tree belongs to one thread at a time. */
#include "common/json.h"

#include <endian.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"

/* cJSON copies a number to 64 bytes before reading it. */
enum { MAX_NUMBER_SIZE = 63 };

/* A few instructions, asked at each byte: this file is built for size (meson.build), which would make calls of them. */
#define INLINE static inline __attribute__((always_inline))

/* ---- the check: RFC 8259 ---- */

struct cursor {
    const unsigned char *at;
    const unsigned char *end;
    size_t values; /* passed so far */
};

INLINE bool is_next(const struct cursor *cursor, char c)
{
    return cursor->at < cursor->end && *cursor->at == (unsigned char)c;
}

INLINE bool take(struct cursor *cursor, char c)
{
    if (!is_next(cursor, c))
        return false;
    cursor->at++;
    return true;
}

INLINE bool is_space(unsigned char c)
{
    return c <= ' ' && (c == ' ' || c == '\t' || c == '\n' || c == '\r');
}

static void skip_space(struct cursor *cursor)
{
    const unsigned char *at = cursor->at;

    while (at < cursor->end && is_space(*at))
        at++;
    cursor->at = at;
}

static size_t skip_digits(struct cursor *cursor)
{
    const unsigned char *start = cursor->at;

    while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9')
        cursor->at++;
    return (size_t)(cursor->at - start);
}

static bool check_word(struct cursor *cursor, const char *word)
{
    size_t size = strlen(word);

    if ((size_t)(cursor->end - cursor->at) < size || memcmp(cursor->at, word, size) != 0)
        return false;
    cursor->at += size;
    return true;
}

static bool check_number(struct cursor *cursor)
{
    const unsigned char *start = cursor->at;

    (void)take(cursor, '-');
    if (!take(cursor, '0') && skip_digits(cursor) == 0)
        return false;
    if (take(cursor, '.') && skip_digits(cursor) == 0)
        return false;
    if (take(cursor, 'e') || take(cursor, 'E')) {
        if (!take(cursor, '+'))
            (void)take(cursor, '-');
        if (skip_digits(cursor) == 0)
            return false;
    }
    return cursor->at - start <= MAX_NUMBER_SIZE;
}

/* The four digits after \u; -1 if they are none. */
static int check_hex4(struct cursor *cursor)
{
    int value = 0;
    int i;

    for (i = 0; i < 4; i++) {
        int c = cursor->at < cursor->end ? *cursor->at++ : -1;

        if (c >= '0' && c <= '9')
            value = value * 16 + c - '0';
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f' && c > 0)
            value = value * 16 + (c | 0x20) - 'a' + 10;
        else
            return -1;
    }
    return value;
}

static bool check_escape(struct cursor *cursor)
{
    int unit;

    if (cursor->at == cursor->end)
        return false;
    if (!take(cursor, 'u'))
        return *cursor->at != 0 && strchr("\"\\/bfnrt", *cursor->at++) != NULL;
    unit = check_hex4(cursor);
    /* An escaped NUL would cut the C string short: "admin\u0000x" must not read as "admin". */
    if (unit <= 0 || (unit >= 0xdc00 && unit <= 0xdfff))
        return false;
    if (unit < 0xd800 || unit > 0xdbff)
        return true;
    if (!take(cursor, '\\') || !take(cursor, 'u'))
        return false;
    unit = check_hex4(cursor);
    return unit >= 0xdc00 && unit <= 0xdfff;
}

/* One UTF-8 sequence of two to four bytes: shortest form, no surrogate, up to U+10FFFF. */
static bool check_utf8(struct cursor *cursor)
{
    unsigned first = *cursor->at++;
    unsigned lowest = 0x80, highest = 0xbf;
    int more;

    if (first >= 0xc2 && first <= 0xdf)
        more = 1;
    else if (first >= 0xe0 && first <= 0xef)
        more = 2;
    else if (first >= 0xf0 && first <= 0xf4)
        more = 3;
    else
        return false;
    if (first == 0xe0)
        lowest = 0xa0;
    else if (first == 0xed)
        highest = 0x9f;
    else if (first == 0xf0)
        lowest = 0x90;
    else if (first == 0xf4)
        highest = 0x8f;
    for (; more > 0; more--, lowest = 0x80, highest = 0xbf) {
        if (cursor->at == cursor->end || *cursor->at < lowest || *cursor->at > highest)
            return false;
        cursor->at++;
    }
    return true;
}

#define EACH_BYTE(c) (UINT64_C(0x0101010101010101) * (c))

/* Behind what stands for itself in a string, ASCII alone, eight bytes at a time: strings are most of a text. */
static const unsigned char *skip_plain(const unsigned char *at, const unsigned char *end)
{
    for (; end - at >= 8; at += 8) {
        uint64_t word, special;

        memcpy(&word, at, sizeof(word));
        word = le64toh(word);
        /* A byte's high bit is set if it is a quote, a backslash, below a space or not ASCII; above the first such byte a borrow may
         * set others. */
        special = (word | ((word ^ EACH_BYTE('"')) - EACH_BYTE(1)) | ((word ^ EACH_BYTE('\\')) - EACH_BYTE(1))
                   | (word - EACH_BYTE(' ')))
                  & EACH_BYTE(0x80);
        if (special != 0)
            return at + __builtin_ctzll(special) / 8;
    }
    while (at < end && *at >= ' ' && *at < 0x80 && *at != '"' && *at != '\\')
        at++;
    return at;
}

static bool check_string(struct cursor *cursor)
{
    if (!take(cursor, '"'))
        return false;
    for (;;) {
        unsigned char c;

        cursor->at = skip_plain(cursor->at, cursor->end);
        if (cursor->at == cursor->end)
            return false;
        c = *cursor->at;
        if (c >= 0x80) {
            if (!check_utf8(cursor))
                return false;
            continue;
        }
        cursor->at++;
        if (c == '"')
            return true;
        if (c < 0x20 || (c == '\\' && !check_escape(cursor)))
            return false;
    }
}

/* Recursion is bounded by `depth`: as many levels as may still be opened. */
static bool check_value(struct cursor *cursor, int depth);

/* An array or, with `is_object`, an object. */
static bool check_members(struct cursor *cursor, bool is_object, int depth)
{
    char close = is_object ? '}' : ']';

    if (depth == 0)
        return false;
    cursor->at++;
    skip_space(cursor);
    if (take(cursor, close))
        return true;
    do {
        skip_space(cursor);
        if (is_object) {
            if (!check_string(cursor))
                return false;
            skip_space(cursor);
            if (!take(cursor, ':'))
                return false;
        }
        if (!check_value(cursor, depth - 1))
            return false;
    } while (take(cursor, ','));
    return take(cursor, close);
}

static bool check_value(struct cursor *cursor, int depth)
{
    bool is_good;

    skip_space(cursor);
    if (cursor->at == cursor->end)
        return false;
    cursor->values++;
    switch (*cursor->at) {
    case '{':
        is_good = check_members(cursor, true, depth);
        break;
    case '[':
        is_good = check_members(cursor, false, depth);
        break;
    case '"':
        is_good = check_string(cursor);
        break;
    case 't':
        is_good = check_word(cursor, "true");
        break;
    case 'f':
        is_good = check_word(cursor, "false");
        break;
    case 'n':
        is_good = check_word(cursor, "null");
        break;
    default:
        is_good = check_number(cursor);
        break;
    }
    skip_space(cursor);
    return is_good;
}

/* ---- names ---- */

/* So many names are compared with each other; that takes no memory. */
enum { FEW_NAMES = 24 };

static int compare_names(const void *a, const void *b)
{
    const char *const *left = a;
    const char *const *right = b;

    return strcmp(*left, *right);
}

static bool has_twin_of_few(const cJSON *object)
{
    const cJSON *one, *other;

    cJSON_ArrayForEach(one, object)
    {
        for (other = one->next; other != NULL; other = other->next) {
            if (one->string[0] == other->string[0] && strcmp(one->string, other->string) == 0)
                return true;
        }
    }
    return false;
}

/* Many are sorted, because a hostile body may hold a hundred thousand names. */
static bool has_twin(const cJSON *object, bool *out_of_memory)
{
    size_t count = (size_t)cJSON_GetArraySize(object);
    bool is_twin = false;
    const cJSON *member;
    const char **names;
    size_t i = 0;

    if (count <= FEW_NAMES)
        return has_twin_of_few(object);
    names = malloc(count * sizeof(*names));
    if (names == NULL) {
        *out_of_memory = true;
        return false;
    }
    cJSON_ArrayForEach(member, object) names[i++] = member->string;
    qsort(names, count, sizeof(*names), compare_names);
    for (i = 1; i < count && !is_twin; i++)
        is_twin = strcmp(names[i - 1], names[i]) == 0;
    free(names);
    return is_twin;
}

/* True also when memory ran out. Names are compared as decoded: "a" and "\u0061" are one. */
static bool has_twins(const cJSON *value, bool *out_of_memory)
{
    const cJSON *member;

    if (cJSON_IsObject(value) && has_twin(value, out_of_memory))
        return true;
    cJSON_ArrayForEach(member, value)
    {
        if (*out_of_memory || has_twins(member, out_of_memory))
            return true;
    }
    return *out_of_memory;
}

/* ---- whole texts ---- */

cJSON *dream_json_parse(const char *text, size_t size, bool *out_of_memory)
{
    struct cursor cursor = { (const unsigned char *)text, (const unsigned char *)text + size, 0 };
    bool ignored;
    cJSON *value;

    if (out_of_memory == NULL)
        out_of_memory = &ignored;
    *out_of_memory = false;
    if (text == NULL || !check_value(&cursor, DREAM_JSON_MAX_DEPTH) || cursor.at != cursor.end)
        return NULL;
    value = cJSON_ParseWithLength(text, size);
    if (value == NULL) {
        *out_of_memory = true;
        return NULL;
    }
    if (has_twins(value, out_of_memory)) {
        cJSON_Delete(value);
        return NULL;
    }
    return value;
}

/* ---- in one piece ----
 *
 * What follows reads a text that passed the check, so it asks for nothing again. The text is a copy, with a NUL behind it, that
 * becomes the tree's own: strings are decoded where they stand, as none grows. */

/* So many a double carries exactly. */
enum { MAX_WHOLE_DIGITS = 15 };

struct builder {
    cJSON *node; /* the next one */
    const unsigned char *end;
};

INLINE unsigned char *pass_space(unsigned char *at)
{
    while (is_space(*at))
        at++;
    return at;
}

static char *put_code_point(char *to, unsigned code)
{
    if (code < 0x80) {
        *to++ = (char)code;
        return to;
    }
    if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
    } else {
        if (code < 0x10000) {
            *to++ = (char)(0xe0 | code >> 12);
        } else {
            *to++ = (char)(0xf0 | code >> 18);
            *to++ = (char)(0x80 | (code >> 12 & 0x3f));
        }
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
    }
    *to++ = (char)(0x80 | (code & 0x3f));
    return to;
}

/* After the backslash. */
static char *put_escape(struct cursor *cursor, char *to)
{
    static const char letters[] = "b\bf\fn\nr\rt\t";
    unsigned char c = *cursor->at++;
    const char *letter;
    unsigned unit;

    if (c != 'u') {
        letter = memchr(letters, c, sizeof(letters) - 1);
        *to++ = letter != NULL ? letter[1] : (char)c;
        return to;
    }
    unit = (unsigned)check_hex4(cursor);
    if (unit >= 0xd800 && unit <= 0xdbff) {
        cursor->at += 2;
        unit = 0x10000 + ((unit - 0xd800) << 10) + ((unsigned)check_hex4(cursor) - 0xdc00);
    }
    return put_code_point(to, unit);
}

/* The closing quote, or what the escapes leave free, gets the NUL. Returns what follows it; so do the others. */
static unsigned char *build_string(const struct builder *builder, unsigned char *at, char **out)
{
    struct cursor cursor = { skip_plain(at + 1, builder->end), builder->end, 0 };
    char *to = (char *)at + (cursor.at - at);

    *out = (char *)at + 1;
    while (*cursor.at != '"') {
        if (*cursor.at != '\\') {
            *to++ = (char)*cursor.at++;
        } else {
            cursor.at++;
            to = put_escape(&cursor, to);
        }
    }
    *to = '\0';
    return at + (cursor.at - at) + 1;
}

/* What is more than a few digits cJSON reads, whatever the host's locale has for a decimal point. NULL when out of memory. */
static unsigned char *build_number(unsigned char *at, cJSON *node)
{
    char *begin = (char *)at;
    uint64_t whole = 0;
    size_t size;
    cJSON *number;

    node->type = cJSON_Number;
    for (; *at >= '0' && *at <= '9'; at++)
        whole = whole * 10 + (*at - '0');
    size = (size_t)((char *)at - begin);
    if (size - 1 < MAX_WHOLE_DIGITS && *at != '.' && (*at | 0x20) != 'e') {
        node->valuedouble = (double)whole;
        node->valueint = whole < INT_MAX ? (int)whole : INT_MAX;
        return at;
    }
    size = strspn(begin, "+-.0123456789Ee");
    number = cJSON_ParseWithLength(begin, size);
    if (number == NULL)
        return NULL;
    node->valueint = number->valueint;
    node->valuedouble = number->valuedouble;
    cJSON_Delete(number);
    return (unsigned char *)begin + size;
}

static unsigned char *build_value(struct builder *builder, unsigned char *at, cJSON *node);

/* As cJSON links them: each to its neighbours, the first also back to the last. */
static unsigned char *build_members(struct builder *builder, unsigned char *at, cJSON *parent)
{
    cJSON *last = NULL;

    do {
        cJSON *node;

        at = pass_space(at + 1);
        if (*at == '}' || *at == ']')
            break;
        node = builder->node++;
        if (parent->type == cJSON_Object)
            at = pass_space(build_string(builder, at, &node->string)) + 1;
        at = build_value(builder, at, node);
        if (at == NULL)
            return NULL;
        node->prev = last;
        if (last != NULL)
            last->next = node;
        else
            parent->child = node;
        last = node;
    } while (*at == ',');
    if (last != NULL)
        parent->child->prev = last;
    return at + 1;
}

static unsigned char *build_value(struct builder *builder, unsigned char *at, cJSON *node)
{
    at = pass_space(at);
    switch (*at) {
    case '{':
    case '[':
        node->type = *at == '{' ? cJSON_Object : cJSON_Array;
        at = build_members(builder, at, node);
        break;
    case '"':
        node->type = cJSON_String;
        at = build_string(builder, at, &node->valuestring);
        break;
    case 't':
        node->type = cJSON_True;
        node->valueint = 1;
        at += strlen("true");
        break;
    case 'f':
        node->type = cJSON_False;
        at += strlen("false");
        break;
    case 'n':
        node->type = cJSON_NULL;
        at += strlen("null");
        break;
    default:
        at = build_number(at, node);
        break;
    }
    return at != NULL ? pass_space(at) : NULL;
}

cJSON *dream_json_parse_whole(const char *text, size_t size, bool *out_of_memory)
{
    struct cursor cursor = { (const unsigned char *)text, (const unsigned char *)text + size, 0 };
    struct builder builder;
    unsigned char *copy;
    cJSON *root;

    *out_of_memory = false;
    if (!check_value(&cursor, DREAM_JSON_MAX_DEPTH) || cursor.at != cursor.end)
        return NULL;
    root = calloc(1, cursor.values * sizeof(*root) + size + 1);
    *out_of_memory = root == NULL;
    if (root == NULL)
        return NULL;
    copy = memcpy(root + cursor.values, text, size);
    builder = (struct builder){ root + 1, copy + size };
    *out_of_memory = build_value(&builder, copy, root) == NULL;
    if (!*out_of_memory && !has_twins(root, out_of_memory))
        return root;
    free(root);
    return NULL;
}

/* ---- numbers ---- */

static bool number_is_whole(double number, int64_t *out)
{
    int64_t whole;

    /* Asked this way round, so that "not a number" is refused as well; only then is the cast defined. */
    if (!(number >= (double)-DREAM_JSON_MAX_INT && number <= (double)DREAM_JSON_MAX_INT))
        return false;
    whole = (int64_t)number;
    if ((double)whole != number)
        return false;
    *out = whole;
    return true;
}

/* ---- printing ----
 *
 * Not by cJSON, which writes 9007199254740991 as 9.00719925474099e+15. */

static void print_string(dream_buffer *out, const char *text)
{
    static const char letters[] = "btn?fr"; /* for 8 to 13; 11 has none */
    const char *start = text;

    dream_buffer_char(out, '"');
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        dream_buffer_append(out, start, (size_t)(text - start));
        start = text + 1;
        if (c >= 0x20)
            dream_buffer_printf(out, "\\%c", c);
        else if (c >= 8 && c <= 13 && c != 11)
            dream_buffer_printf(out, "\\%c", letters[c - 8]);
        else
            dream_buffer_printf(out, "\\u%04x", c);
    }
    dream_buffer_append(out, start, (size_t)(text - start));
    dream_buffer_char(out, '"');
}

/* The shorter text that reads back as the same number. */
static void print_fraction(dream_buffer *out, double number)
{
    bool is_in_point = false;
    char text[40];
    const char *at;

    (void)snprintf(text, sizeof(text), "%.15g", number);
    if (strtod(text, NULL) != number)
        (void)snprintf(text, sizeof(text), "%.17g", number);
    for (at = text; *at != '\0'; at++) {
        bool is_plain = strchr("0123456789+-e", *at) != NULL;

        /* Whatever the host's locale has for a decimal point, one byte or several. */
        if (is_plain || !is_in_point)
            dream_buffer_char(out, is_plain ? *at : '.');
        is_in_point = !is_plain;
    }
}

static void print_number(dream_buffer *out, double number)
{
    int64_t whole;

    if (number_is_whole(number, &whole))
        dream_buffer_printf(out, "%lld", (long long)whole);
    else if (number - number == 0)
        print_fraction(out, number);
    else
        dream_buffer_text(out, "null"); /* infinite: JSON has no word for it */
}

/* As deep as the tree: parsed ones are bounded, our own are shallow. */
static void print_value(dream_buffer *out, const cJSON *value)
{
    const cJSON *member;

    if (cJSON_IsObject(value) || cJSON_IsArray(value)) {
        dream_buffer_char(out, cJSON_IsObject(value) ? '{' : '[');
        cJSON_ArrayForEach(member, value)
        {
            if (member != value->child)
                dream_buffer_char(out, ',');
            if (cJSON_IsObject(value)) {
                print_string(out, member->string);
                dream_buffer_char(out, ':');
            }
            print_value(out, member);
        }
        dream_buffer_char(out, cJSON_IsObject(value) ? '}' : ']');
    } else if (cJSON_IsString(value)) {
        print_string(out, value->valuestring);
    } else if (cJSON_IsNumber(value)) {
        print_number(out, value->valuedouble);
    } else if (cJSON_IsBool(value)) {
        dream_buffer_text(out, cJSON_IsTrue(value) ? "true" : "false");
    } else {
        dream_buffer_text(out, cJSON_IsRaw(value) ? value->valuestring : "null");
    }
}

char *dream_json_print(const cJSON *value)
{
    dream_buffer out = DREAM_BUFFER_INIT;

    /* A tree that could not be built for lack of memory cannot be printed either. */
    if (value == NULL)
        return NULL;
    print_value(&out, value);
    return dream_buffer_take(&out);
}

/* ---- readers ---- */

const cJSON *dream_json_get(const cJSON *object, const char *name)
{
    const cJSON *member = cJSON_IsObject(object) ? object->child : NULL;

    while (member != NULL && (member->string[0] != name[0] || strcmp(member->string, name) != 0))
        member = member->next;
    return member;
}

const char *dream_json_string(const cJSON *object, const char *name)
{
    return cJSON_GetStringValue(dream_json_get(object, name));
}

bool dream_json_int(const cJSON *object, const char *name, int64_t *out)
{
    const cJSON *value = dream_json_get(object, name);

    return cJSON_IsNumber(value) && number_is_whole(value->valuedouble, out);
}

bool dream_json_bool(const cJSON *object, const char *name, bool fallback)
{
    const cJSON *value = dream_json_get(object, name);

    return cJSON_IsBool(value) ? cJSON_IsTrue(value) != 0 : fallback;
}

/* ---- writers ---- */

bool dream_json_set(cJSON *object, const char *name, cJSON *value)
{
    cJSON *old;

    if (object == NULL || value == NULL)
        goto failed;
    old = cJSON_GetObjectItemCaseSensitive(object, name);
    if (!cJSON_AddItemToObject(object, name, value))
        goto failed;
    /* Only now, so that a failure leaves the object as it was. */
    if (old != NULL)
        cJSON_Delete(cJSON_DetachItemViaPointer(object, old));
    return true;
failed:
    cJSON_Delete(value);
    return false;
}

bool dream_json_set_string(cJSON *object, const char *name, const char *text)
{
    return dream_json_set(object, name, text != NULL ? cJSON_CreateString(text) : cJSON_CreateNull());
}

bool dream_json_set_int(cJSON *object, const char *name, int64_t value)
{
    return dream_json_set(object, name, cJSON_CreateNumber((double)value));
}

bool dream_json_set_bool(cJSON *object, const char *name, bool value)
{
    return dream_json_set(object, name, cJSON_CreateBool(value));
}

bool dream_json_set_null(cJSON *object, const char *name)
{
    return dream_json_set(object, name, cJSON_CreateNull());
}
