/* SPDX-License-Identifier: Apache-2.0 */
/* return_url.h - where a buyer may be sent back to: http and https addresses whose origin the operator allows. */
#ifndef DREAMD_API_RETURN_URL_H
#define DREAMD_API_RETURN_URL_H

#include <stdbool.h>
#include <stddef.h>

enum { DREAMD_ORIGIN_SIZE = 300 };

/* The origin of an address in normal form (lower case, default port left out): "https://shop.example". False if it is no
 * http(s) address, or has user information, blanks, backslashes or control characters: parsers disagree about those. */
bool dreamd_origin_of(const char *url, char out[DREAMD_ORIGIN_SIZE]);
/* `allowed` is a comma list of origins; "*": every origin; NULL: loopback origins, at any port. `own` (may be NULL) is an
 * address whose origin always is. */
bool dreamd_return_url_is_allowed(const char *url, const char *allowed, const char *own);
/* What default addresses begin with: the request's Origin if it is a bare, allowed origin, else `own`. May be NULL. */
const char *dreamd_return_base(const char *origin, const char *allowed, const char *own);

#endif
