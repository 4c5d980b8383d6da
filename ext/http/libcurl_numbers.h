/*
 * libcurl_numbers.h: the numbers of libcurl's interface that are used, as its ABI 4 has them since
 * they exist. They are written down here so that nothing needs libcurl's headers to be built;
 * tests/unit/http/test_libcurl_numbers.c compares them with those.
 */
#ifndef HTTP_LIBCURL_NUMBERS_H
#define HTTP_LIBCURL_NUMBERS_H

#define HTTP_LIBCURL_NUMBERS(X)                                                                    \
    X(CURLE_OK, 0)                                                                                 \
    X(CURLE_UNSUPPORTED_PROTOCOL, 1)                                                               \
    X(CURLE_COULDNT_RESOLVE_PROXY, 5)                                                              \
    X(CURLE_COULDNT_RESOLVE_HOST, 6)                                                               \
    X(CURLE_COULDNT_CONNECT, 7)                                                                    \
    X(CURLE_WEIRD_SERVER_REPLY, 8)                                                                 \
    X(CURLE_HTTP2, 16)                                                                             \
    X(CURLE_PARTIAL_FILE, 18)                                                                      \
    X(CURLE_OUT_OF_MEMORY, 27)                                                                     \
    X(CURLE_OPERATION_TIMEDOUT, 28)                                                                \
    X(CURLE_SSL_CONNECT_ERROR, 35)                                                                 \
    X(CURLE_GOT_NOTHING, 52)                                                                       \
    X(CURLE_SEND_ERROR, 55)                                                                        \
    X(CURLE_RECV_ERROR, 56)                                                                        \
    X(CURLE_PEER_FAILED_VERIFICATION, 60)                                                          \
    X(CURLE_BAD_CONTENT_ENCODING, 61)                                                              \
    X(CURLE_FILESIZE_EXCEEDED, 63)                                                                 \
    X(CURLE_SSL_CACERT_BADFILE, 77)                                                                \
    X(CURLE_HTTP2_STREAM, 92)                                                                      \
    X(CURLM_OK, 0)                                                                                 \
    X(CURLM_OUT_OF_MEMORY, 3)                                                                      \
    X(CURLMSG_DONE, 1)                                                                             \
    X(CURLMOPT_MAXCONNECTS, 6)                                                                     \
    X(CURLINFO_PRIVATE, 1048597)                                                                   \
    X(CURLINFO_RESPONSE_CODE, 2097154)                                                             \
    X(CURLINFO_HTTP_CONNECTCODE, 2097174)                                                          \
    X(CURLINFO_OS_ERRNO, 2097177)                                                                  \
    X(CURLINFO_PRETRANSFER_TIME, 3145734)                                                          \
    X(CURLINFO_STARTTRANSFER_TIME_T, 6291510)                                                      \
    X(CURLOPT_SSLVERSION, 32)                                                                      \
    X(CURLOPT_POST, 47)                                                                            \
    X(CURLOPT_NETRC, 51)                                                                           \
    X(CURLOPT_FOLLOWLOCATION, 52)                                                                  \
    X(CURLOPT_SSL_VERIFYPEER, 64)                                                                  \
    X(CURLOPT_SSL_VERIFYHOST, 81)                                                                  \
    X(CURLOPT_HTTP_VERSION, 84)                                                                    \
    X(CURLOPT_NOSIGNAL, 99)                                                                        \
    X(CURLOPT_TIMEOUT_MS, 155)                                                                     \
    X(CURLOPT_CONNECTTIMEOUT_MS, 156)                                                              \
    X(CURLOPT_PROTOCOLS, 181)                                                                      \
    X(CURLOPT_REDIR_PROTOCOLS, 182)                                                                \
    X(CURLOPT_PIPEWAIT, 237)                                                                       \
    X(CURLOPT_SUPPRESS_CONNECT_HEADERS, 265)                                                       \
    X(CURLOPT_DISALLOW_USERNAME_IN_URL, 278)                                                       \
    X(CURLOPT_WRITEDATA, 10001)                                                                    \
    X(CURLOPT_URL, 10002)                                                                          \
    X(CURLOPT_ERRORBUFFER, 10010)                                                                  \
    X(CURLOPT_POSTFIELDS, 10015)                                                                   \
    X(CURLOPT_HTTPHEADER, 10023)                                                                   \
    X(CURLOPT_HEADERDATA, 10029)                                                                   \
    X(CURLOPT_CAINFO, 10065)                                                                       \
    X(CURLOPT_CAPATH, 10097)                                                                       \
    X(CURLOPT_ACCEPT_ENCODING, 10102)                                                              \
    X(CURLOPT_PRIVATE, 10103)                                                                      \
    X(CURLOPT_NOPROXY, 10177)                                                                      \
    X(CURLOPT_WRITEFUNCTION, 20011)                                                                \
    X(CURLOPT_READFUNCTION, 20012)                                                                 \
    X(CURLOPT_HEADERFUNCTION, 20079)                                                               \
    X(CURLOPT_MAXFILESIZE_LARGE, 30117)                                                            \
    X(CURLOPT_POSTFIELDSIZE_LARGE, 30120)                                                          \
    X(CURLPROTO_HTTP, 1)                                                                           \
    X(CURLPROTO_HTTPS, 2)                                                                          \
    X(CURLUE_OK, 0)                                                                                \
    X(CURLUE_BAD_PORT_NUMBER, 4)                                                                   \
    X(CURLUE_OUT_OF_MEMORY, 7)                                                                     \
    X(CURLUPART_URL, 0)                                                                            \
    X(CURLUPART_HOST, 5)                                                                           \
    X(CURLUPART_PORT, 6)                                                                           \
    X(CURLU_DEFAULT_PORT, 1)                                                                       \
    X(CURLU_DISALLOW_USER, 32)                                                                     \
    X(CURL_GLOBAL_DEFAULT, 3)                                                                      \
    X(CURL_HTTP_VERSION_1_1, 2)                                                                    \
    X(CURL_HTTP_VERSION_2TLS, 4)                                                                   \
    X(CURL_NETRC_IGNORED, 0)                                                                       \
    X(CURL_SSLVERSION_TLSv1_2, 6)                                                                  \
    X(CURL_VERSION_LIBZ, 8)                                                                        \
    X(CURL_ERROR_SIZE, 256)                                                                        \
    X(CURLVERSION_NOW, 10)

/* Those of a later libcurl than the oldest that may be found: 7.87 and 8.6. */
#define HTTP_LIBCURL_LATER_NUMBERS(X)                                                              \
    X(CURLOPT_QUICK_EXIT, 322)                                                                     \
    X(CURLE_TOO_LARGE, 100)

#endif
