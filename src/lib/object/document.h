/* SPDX-License-Identifier: Apache-2.0 */
/* document.h - the answer that an object is read from, and reading it by a table
 * of fields. An object keeps its document: texts are borrowed from it, not copied. Immutable once made. */
#ifndef DREAM_LIB_OBJECT_DOCUMENT_H
#define DREAM_LIB_OBJECT_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/json.h"
#include "lib/call.h"

typedef struct dream_document {
    char *json; /* as it came */
    cJSON *root;
} dream_document;

/* An answer must be a JSON object; `problem` gets the reason if it is not. */
dreamapi_status dream_document_read(dream_document *document, const char *body, size_t size,
                                    char problem[DREAM_PROBLEM_SIZE]);
void dream_document_clear(dream_document *document);

typedef enum dream_field_kind {
    DREAM_FIELD_TEXT,  /* const char *; null counts as absent; absent: NULL */
    DREAM_FIELD_INT,   /* int64_t; null counts as absent; absent: fallback */
    DREAM_FIELD_LIMIT, /* int64_t; a whole number from 0, or null or "unlimited"; absent: fallback */
    DREAM_FIELD_BOOL,  /* bool; null counts as absent; absent: fallback */
    DREAM_FIELD_TEXTS  /* const cJSON *, an array of texts; null counts as absent; absent: NULL */
} dream_field_kind;

/* No pointer in it: tables of these are constants that the loader need not touch. */
typedef struct dream_field {
    char name[28];   /* on the wire */
    uint8_t kind;    /* dream_field_kind */
    uint16_t offset; /* of the member that takes it */
    bool is_required;
    int64_t fallback;
} dream_field;

/* Reads the fields of `object` (which must be a JSON object) into `out`. Fields it does not know are passed over. */
dreamapi_status dream_fields_read(const cJSON *object, const dream_field *fields, size_t count, void *out,
                                  char problem[DREAM_PROBLEM_SIZE]);

/* Makes an object of `object_size` zeroed bytes that begins with its dream_document: reads the answer into that, then lets
 * `read` fill in the rest. For a noun's parse; `release` frees the object when that fails. */
typedef dreamapi_status (*dream_object_read)(void *object, char problem[DREAM_PROBLEM_SIZE]);
dreamapi_status dream_object_make(const char *body, size_t size, size_t object_size, dream_object_read read,
                                  void (*release)(void *object), void **out_object, char problem[DREAM_PROBLEM_SIZE]);

/* What each element of a list looks like, and how large is what it is read into. */
typedef struct dream_list_kind {
    const char *name; /* on the wire */
    const dream_field *fields;
    size_t field_count;
    size_t item_size;
    /* In place of the table, for elements that it cannot describe; else NULL. */
    dreamapi_status (*read)(void *item, const cJSON *object, char problem[DREAM_PROBLEM_SIZE]);
} dream_list_kind;

/* The elements that were read, in one block. */
typedef struct dream_list {
    void *items; /* owned (free()); NULL for an empty list */
    size_t count;
} dream_list;

/* Reads a required list of objects; `out_list` has to be freed also on failure. */
dreamapi_status dream_list_read(const cJSON *object, const dream_list_kind *kind, dream_list *out_list,
                                char problem[DREAM_PROBLEM_SIZE]);

/* States a problem; returns DREAMAPI_PROTOCOL. */
dreamapi_status dream_document_problem(char problem[DREAM_PROBLEM_SIZE], const char *name, const char *what);

size_t dream_texts_count(const cJSON *texts);
const char *dream_texts_at(const cJSON *texts, size_t index); /* NULL past the end */

#endif
