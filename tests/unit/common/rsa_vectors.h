/* SPDX-License-Identifier: Apache-2.0 */
/* rsa_vectors.h - public keys, RSA and P-256, and signatures made with their private halves by
 * Python's cryptography package, so that our own signing proves nothing to itself. */
#ifndef TEST_COMMON_RSA_VECTORS_H
#define TEST_COMMON_RSA_VECTORS_H

#define VECTOR_TEXT "The quick brown fox"
#define VECTOR_EXPONENT "AQAB"
#define VECTOR_MODULUS                                                                                                 \
    "yovGYhENwItIB0sO0sb63FxTNAuv2Qxh4xN1QtVtz4NEgEKQZAieB0XzzKOsiRq-q-VfN33vkZwwAwoc9BnHxZDqddHYF673qPeI"             \
    "lVJ-E5Ua4l4wZgWc22yV18Edgr4UzpT5cRO7NAaJHju6ofgt-gQVV92DZK0zWd4214g-6256xNH4uY9IfKxwgdiVcE0TnYNBzLJm"             \
    "kAGdN-2nI4iKhGgTL1b_MKRji-vdsHhih-DfazqDSoiLv9K16_4xUqMffNulfOhDIZHGPXORus1RLLHet4sid82gIKZvHv12dLth"             \
    "hVn-6N09UhwlX6s9o9R5ASq7O7r7EKGROcI4xq0_jw"

/* Too short to be trusted. */
#define VECTOR_MODULUS_1024                                                                                            \
    "1fPeW2WhXuUu-jrNXiSYUPnJLFDLCWqmRmVV24kCVGmZ2xEEjIAZ-ts78-nqum3inj_kdqzWzC1zMyUFbclDPYtOcUteBYN-r1or"             \
    "vQD-Zl-Lki5GEt-Ay_9MixEEWbyH_89Hf_TvalG5g03uD1SIfWUF9OD3xHGVCqZSwJ5MC4U"

#define VECTOR_PUBLIC_PEM                                                                                              \
    "-----BEGIN PUBLIC KEY-----\n"                                                                                     \
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAyovGYhENwItIB0sO0sb6\n"                                               \
    "3FxTNAuv2Qxh4xN1QtVtz4NEgEKQZAieB0XzzKOsiRq+q+VfN33vkZwwAwoc9BnH\n"                                               \
    "xZDqddHYF673qPeIlVJ+E5Ua4l4wZgWc22yV18Edgr4UzpT5cRO7NAaJHju6ofgt\n"                                               \
    "+gQVV92DZK0zWd4214g+6256xNH4uY9IfKxwgdiVcE0TnYNBzLJmkAGdN+2nI4iK\n"                                               \
    "hGgTL1b/MKRji+vdsHhih+DfazqDSoiLv9K16/4xUqMffNulfOhDIZHGPXORus1R\n"                                               \
    "LLHet4sid82gIKZvHv12dLthhVn+6N09UhwlX6s9o9R5ASq7O7r7EKGROcI4xq0/\n"                                               \
    "jwIDAQAB\n"                                                                                                       \
    "-----END PUBLIC KEY-----\n"

#define VECTOR_EC_PEM                                                                                                  \
    "-----BEGIN PUBLIC KEY-----\n"                                                                                     \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEUJdY+SArulbMAnRTNW9lmuQxeXT8\n"                                               \
    "W4YANikQ+asq65ArjN8c47OUDxhwiXyCZDIbMtb7BWBQy9MbpwJElJCZHA==\n"                                                   \
    "-----END PUBLIC KEY-----\n"
#define VECTOR_EC_X "UJdY-SArulbMAnRTNW9lmuQxeXT8W4YANikQ-asq65A"
#define VECTOR_EC_Y "K4zfHOOzlA8YcIl8gmQyGzLW-wVgUMvTG6cCRJSQmRw"
#define VECTOR_EC_JWK                                                                                                  \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"py-ec\",\"alg\":\"ES256\",\"use\":\"sig\",\"x\":\"" VECTOR_EC_X       \
    "\",\"y\":\"" VECTOR_EC_Y "\"}"
/* {"alg":"ES256","kid":"py-ec","typ":"JWT"} . sub user_ec, exp 1700000060, iat 1700000000, publicMetadata
 * {publishableKey pk_live_1, plan pro} */
#define VECTOR_EC_JWT                                                                                                  \
    "eyJhbGciOiJFUzI1NiIsImtpZCI6InB5LWVjIiwidHlwIjoiSldUIn0.eyJzdWIiOiJ1c2VyX2VjIiwiZXhwIjoxNzAwMDAwMDYw"             \
    "LCJpYXQiOjE3MDAwMDAwMDAsInB1YmxpY01ldGFkYXRhIjp7InB1Ymxpc2hhYmxlS2V5IjoicGtfbGl2ZV8xIiwicGxhbiI6InBy"             \
    "byJ9fQ.kura7BfSC4dCBFs9Pjs0PSzCHCueohsnWMAf0zEgvKIgr1icjVM3zlo-X0E2vY1YCZTZkiwUysfOykjoFjVBsQ"

#define VECTOR_SHA256                                                                                                  \
    "54f66032007e46588d4aebeab46d241faf91c3cbf9f562939b63dc3c4e0724f9afca05f1e97672b88bab6414a982bcbd8bb7"             \
    "ba9ae3180531ae4bc7d3b49a16d5395d84f0936a7d3da210c1717f98af4b7eb52b8e542402952b3422064f252c446d208533"             \
    "e41f88ee4f39f97e90333904d8697fdd7a8e1515ec12fd3375fce2313716f2da42222e075ac14b99a3e86774840cad03d755"             \
    "d2bab7455ab8f576752cbbcf09c6274874e5f9f84154f1c52d70ba45cf64718ec4ea7f5738cb1254dc0d403af44d813ffc11"             \
    "15f0c2f6e39f78709d411441c5dfe28e3da2e466a01f1cec59f9cd930eac6bce93df2fccdffc14bd6fdf35de7c3ae7705feb"             \
    "21a64dc80cca"
#define VECTOR_SHA384                                                                                                  \
    "296c423432ae613465c962c7e814c9977fc717c2caad72634a68fa69d84b40b0f8675636fa805831a1e9ba7c216921d09b08"             \
    "3dce677635d5ef4b12b9a80ec5a1ee63c4a113e580ef6c6184710c71403cb9e7bc364be3107be5923210a17d9e86eaed2ea1"             \
    "897f838d3155ce7d000b0b8d472a7d50484eded9ce3372a1a1eb79f546b57fd7cedb9931bb9c9abc11bb65accaf19e41b510"             \
    "3cec0bfbd323f8cd1cc45017fe5ff09daafdefbc54a2ff053eb19be20f391592776319ee154ac0caa7ea48da4624668f3ee7"             \
    "9b2263eafa6a2feae0736311a8db9a3de953cd0099b97163116e6df0acccaecad7205766dcdce91ab409c078586b2f73c98f"             \
    "2ac421214338"
#define VECTOR_SHA512                                                                                                  \
    "3d5ef97269366cd5e212c56719a2231c31bd5e49753ad118caa06157da939f4006c41c9d80df41d145431113a89418715f9a"             \
    "ebeb69fbdf8d6e4ba4f320b9d0fc45b233f296ea9a5a7f455201c2a4113b2e5a987b3d0e2f5b80021169e42227baccb4798e"             \
    "8d8993a14b5d87f6b55a6e8d577fb27fbf76dd8a58d427c2699d0e480a52183f49e0c381aa6dfb9cc554ef1aba2bd124f587"             \
    "d83ee6d08966f3d6263ebd09b40541c08b4b2dea72712ed2f093ef6601b2b75aff4db5c0848d955a2c03ccdaa7b96c2ab14c"             \
    "4b5c2c1b7db8915b742becb68cbf0e219f9f19bcdaf89d8161d49243a96f15af0738f312dc6eae535267a2f21532b541483e"             \
    "1b14f6df8dec"
/* RSASSA-PSS, SHA-256: another scheme over the same key and text. */
#define VECTOR_PSS                                                                                                     \
    "0f5ecef6cf37b07223aedb6278fb6779d49d5ec044eda3d98489cb8768edfd9bbe0b960959e19a5c47163f24b69cac2f8551"             \
    "9213779c14e8374bdb99aaaff35da37fbea6a769697de7b75b012e961e6c65fe8533ec9c7c62581138eeae91dd760120bd63"             \
    "fcdee659ab195a3b0266a5f6263083a82612a403e31bfc429d087a86bae8270b6fdfec3b8fe3378603c2683972b1853d32a6"             \
    "b45c5570343e65c90b6b6e84c64eaede8401b175c0021cbc4c54e3bda788289846c4dcfd4ef37401fa7602822122e2c7a025"             \
    "dbfe32d9a60ef9ff48befd8ea9e81743b4212c8be9e24124b9d00142d97d7e372124c803c4e532781c6b380ae95c50111639"             \
    "04a598cc67b6"

/* {"alg":"RS256","kid":"py-key","typ":"JWT"} . sub user_py, exp 1700000060, iat 1700000000, nbf 1699999990,
 * sid sess_1, email py@example.test, publicMetadata {publishableKey pk_live_1, plan pro} */
#define VECTOR_JWT                                                                                                     \
    "eyJhbGciOiJSUzI1NiIsImtpZCI6InB5LWtleSIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyX3B5IiwiZXhwIjoxNzAwMDAwMDY"             \
    "wLCJpYXQiOjE3MDAwMDAwMDAsIm5iZiI6MTY5OTk5OTk5MCwic2lkIjoic2Vzc18xIiwiZW1haWwiOiJweUBleGFtcGxlLnRlc3Q"             \
    "iLCJwdWJsaWNNZXRhZGF0YSI6eyJwdWJsaXNoYWJsZUtleSI6InBrX2xpdmVfMSIsInBsYW4iOiJwcm8ifX0.cVThoMGAj6iKvG8"             \
    "B6fvyWJxXTog-zje03o3sJCobk7NmU1uNFWFzcTJUKi7p-j1A4gBsDmQv7Yb8YinbnTi5Sb4QIodke8oLFSyz8nt3fgGY4qnU-8Z"             \
    "rz2ZW0gNJIcD_svjrb-3yR7EpnhAOn-cL4T-GlZH6gowfp_AZ1-FqFP6bTY-xR1DVRIBbAigkeASoEoV2aGrVWlwtYzyTpN78Ez1"             \
    "ZN31X6hKBs-2eh80SR72SyzwNH8YUtzAQzhD4z8qw2l05usG7_guobPqJmg-yKpZ-T9VTYDCDgrgfr5nNHcQayAxYyS1SqJ6apaX"             \
    "pJVyNhgIlRp0bkNKmmD9ETir0yQ"

#endif
