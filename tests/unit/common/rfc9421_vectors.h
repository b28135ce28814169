/* SPDX-License-Identifier: Apache-2.0 */
/* rfc9421_vectors.h - the examples of RFC 9421 (section 2.5 and appendix B.2) that need no component parameters: what is covered,
 * and the signature base that has to come out. The request is appendix B.2's; B.2.5 is the one signed with hmac-sha256. */
#ifndef TEST_RFC9421_VECTORS_H
#define TEST_RFC9421_VECTORS_H

#define RFC_BODY "{\"hello\": \"world\"}"
#define RFC_DATE "Tue, 20 Apr 2021 02:07:55 GMT"
#define RFC_TYPE "application/json"
#define RFC_DIGEST "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:"
/* RFC 9530 B.1 and appendix D: the same body. */
#define RFC_DIGEST_SHA256 "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"
#define RFC_SHARED_SECRET "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
#define RFC_HMAC_SIGNATURE "sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:"

static const struct rfc_vector {
    const char *section;
    const char *input; /* without its label */
    const char *lines; /* of the base, above "@signature-params" */
} rfc_vectors[] = {
    { "2.5",
      "(\"@method\" \"@authority\" \"@path\" \"content-digest\" \"content-length\" \"content-type\")"
      ";created=1618884473;keyid=\"test-key-rsa-pss\"",
      "\"@method\": POST\n"
      "\"@authority\": example.com\n"
      "\"@path\": /foo\n"
      "\"content-digest\": " RFC_DIGEST "\n"
      "\"content-length\": 18\n"
      "\"content-type\": application/json\n" },
    { "B.2.1", "();created=1618884473;keyid=\"test-key-rsa-pss\";nonce=\"b3k2pp5k7z-50gnwp.yemd\"", "" },
    { "B.2.3",
      "(\"date\" \"@method\" \"@path\" \"@query\" \"@authority\" \"content-type\" \"content-digest\" "
      "\"content-length\")"
      ";created=1618884473;keyid=\"test-key-rsa-pss\"",
      "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n"
      "\"@method\": POST\n"
      "\"@path\": /foo\n"
      "\"@query\": ?param=Value&Pet=dog\n"
      "\"@authority\": example.com\n"
      "\"content-type\": application/json\n"
      "\"content-digest\": " RFC_DIGEST "\n"
      "\"content-length\": 18\n" },
    { "B.2.5", "(\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\"",
      "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n"
      "\"@authority\": example.com\n"
      "\"content-type\": application/json\n" },
    { "B.2.6",
      "(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\")"
      ";created=1618884473;keyid=\"test-key-ed25519\"",
      "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n"
      "\"@method\": POST\n"
      "\"@path\": /foo\n"
      "\"@authority\": example.com\n"
      "\"content-type\": application/json\n"
      "\"content-length\": 18\n" },
};

#endif
