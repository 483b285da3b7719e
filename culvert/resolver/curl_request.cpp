#include "culvert/resolver/curl_request.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "culvert/resolver/curl_multi.h"

namespace culvert::resolver {
namespace {

/// "dns.example:443:192.0.2.1,[2001:db8::1]": libcurl looks nothing up then.
std::string resolved(const CurlRequest::Settings& settings) {
    auto text = settings.host + ":" + std::to_string(settings.port) + ":";
    for (const auto& address : settings.addresses) {
        if (!text.ends_with(':')) {
            text += ',';
        }
        text += address.is_v4() ? address.to_string() : "[" + address.to_string() + "]";
    }
    return text;
}

CURLcode trust_system(CURL*, void* context, void*) {
    return SSL_CTX_set_default_verify_paths(static_cast<SSL_CTX*>(context)) == 1 ? CURLE_OK : CURLE_SSL_CACERT_BADFILE;
}

}  // namespace

void CloseCurlMulti::operator()(void* multi) const {
    curl_multi_cleanup(multi);
}

CurlMulti open_curl_multi() {
    static const auto kResult = curl_global_init(CURL_GLOBAL_DEFAULT);
    CurlMulti multi{kResult == CURLE_OK ? curl_multi_init() : nullptr};
    if (!multi) {
        throw std::bad_alloc{};
    }
    return multi;
}

CurlRequest::CurlRequest(const Settings& settings)
    : mark_{settings.mark}, user_timeout_{settings.user_timeout}, easy_{curl_easy_init()} {
    if (!easy_) {
        throw std::bad_alloc{};
    }
    for (const auto& header : settings.headers) {
        append(headers_, header);
    }
    if (!settings.addresses.empty()) {
        append(addresses_, resolved(settings));
    }
    set(CURLOPT_URL, settings.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, settings.protocol);
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_PROXY, "");  // not even the one that the environment names
    set(CURLOPT_RESOLVE, addresses_.get());
    set(CURLOPT_HTTPHEADER, headers_.get());
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
    set(CURLOPT_SOCKOPTDATA, static_cast<void*>(this));
    set(CURLOPT_SOCKOPTFUNCTION, prepare_socket);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(settings.time.count()));
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    // Whom the connection to the portal trusts, not whom libcurl was built to trust.
    set(CURLOPT_CAINFO, static_cast<const char*>(nullptr));
    set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    set(CURLOPT_SSL_CTX_FUNCTION, trust_system);
}

void CurlRequest::append(Strings& list, const std::string& text) {
    auto* const longer = curl_slist_append(list.get(), text.c_str());
    if (longer == nullptr) {
        throw std::bad_alloc{};
    }
    static_cast<void>(list.release());
    list.reset(longer);
}

int CurlRequest::prepare_socket(void* self, curl_socket_t fd, curlsocktype) {
    const auto& request = *static_cast<const CurlRequest*>(self);
    if (request.user_timeout_) {
        const auto timeout = static_cast<unsigned>(request.user_timeout_->count());
        ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
    }
    return set_mark(fd, request.mark_) ? CURL_SOCKOPT_OK : CURL_SOCKOPT_ERROR;
}

}  // namespace culvert::resolver
