#pragma once

#include <curl/curl.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "culvert/net/ip_address.h"
#include "culvert/resolver/socket_mark.h"

namespace culvert::resolver {

/// One HTTP request of libcurl, with what holds for all of ours: HTTP/2 where the server can, else HTTP/1.1. The server
/// must prove who it is to the system's certificate authorities (OpenSSL's, with SSL_CERT_FILE and SSL_CERT_DIR). No
/// redirects, no proxies, no cookies, no names of its own to look up. SIGPIPE must be ignored.
///
/// The rest is up to set(). Constructor and set() throw std::bad_alloc.
class CurlRequest {
public:
    struct Settings {
        std::string url;
        /// "https" or "http".
        const char* protocol = "https";
        /// Of the server in `url`, unless its host is an address.
        std::string host;
        std::uint16_t port = 443;
        std::vector<net::IpAddress> addresses;
        /// "Name: value"
        std::vector<std::string> headers;
        std::chrono::milliseconds time;
        SocketMark mark;
        /// How long the server may leave unacknowledged what was sent; unset: as long as the system thinks.
        std::optional<std::chrono::milliseconds> user_timeout = {};
    };

    explicit CurlRequest(const Settings& settings);
    // libcurl knows where it is.
    CurlRequest(const CurlRequest&) = delete;
    CurlRequest& operator=(const CurlRequest&) = delete;

    [[nodiscard]] CURL* easy() const { return easy_.get(); }

    template <typename T>
    void set(CURLoption option, T value) {
        if (curl_easy_setopt(easy(), option, value) != CURLE_OK) {
            throw std::bad_alloc{};
        }
    }

private:
    struct FreeStrings {
        void operator()(curl_slist* list) const { curl_slist_free_all(list); }
    };
    using Strings = std::unique_ptr<curl_slist, FreeStrings>;
    struct FreeEasy {
        void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
    };

    static void append(Strings& list, const std::string& text);
    static int prepare_socket(void* self, curl_socket_t fd, curlsocktype purpose);

    SocketMark mark_;
    std::optional<std::chrono::milliseconds> user_timeout_;
    Strings headers_;
    Strings addresses_;
    std::unique_ptr<CURL, FreeEasy> easy_;
};

}  // namespace culvert::resolver
