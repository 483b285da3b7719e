#include "culvert/flow_upload/curl_transport.h"

#include <curl/curl.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <new>
#include <utility>

#include "culvert/flow_upload/constants.h"
#include "culvert/io/clock.h"

namespace culvert::flow_upload {
namespace {

void initialise_curl() {
    static const auto kResult = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (kResult != CURLE_OK) {
        throw std::bad_alloc{};
    }
}

/// "logs.example:443:192.0.2.1,[2001:db8::1]": libcurl looks nothing up then.
std::string resolved(const Destination& to, const std::vector<net::IpAddress>& addresses) {
    auto text = to.host + ":" + std::to_string(to.port) + ":";
    for (const auto& address : addresses) {
        if (!text.ends_with(':')) {
            text += ',';
        }
        text += address.is_v4() ? address.to_string() : "[" + address.to_string() + "]";
    }
    return text;
}

}  // namespace

/// One request, as long as it takes.
class CurlTransport::Request {
public:
    Request(const Destination& to, const std::vector<net::IpAddress>& addresses, const std::string& token,
            const std::string& body, const resolver::SocketMark& mark)
        : mark_{mark}, easy_{curl_easy_init()} {
        append(headers_, "Authorization: Bearer " + token);
        append(headers_, "Content-Type: application/json");
        append(headers_, "Expect:");  // no round trip before the body
        if (!addresses.empty()) {
            append(addresses_, resolved(to, addresses));
        }
        if (!easy_) {
            throw std::bad_alloc{};
        }
        set(CURLOPT_URL, to.url.c_str());
        set(CURLOPT_PROTOCOLS_STR, to.url.starts_with("https:") ? "https" : "http");
        set(CURLOPT_FOLLOWLOCATION, 0L);
        set(CURLOPT_PROXY, "");  // not even the one that the environment names
        set(CURLOPT_RESOLVE, addresses_.get());
        set(CURLOPT_HTTPHEADER, headers_.get());
        set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
        set(CURLOPT_POST, 1L);
        set(CURLOPT_POSTFIELDS, body.c_str());
        set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
        set(CURLOPT_SOCKOPTDATA, &mark_);
        set(CURLOPT_SOCKOPTFUNCTION, mark_socket);
        set(CURLOPT_SSL_VERIFYPEER, 1L);
        set(CURLOPT_SSL_VERIFYHOST, 2L);
        set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
        // Whom the connection to the portal trusts, not whom libcurl was built to trust.
        set(CURLOPT_CAINFO, static_cast<const char*>(nullptr));
        set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
        set(CURLOPT_SSL_CTX_FUNCTION, trust_system);
        set(CURLOPT_NOSIGNAL, 1L);
        set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(kConnectTime.count()));
        set(CURLOPT_TIMEOUT_MS, static_cast<long>(kRequestTime.count()));
        set(CURLOPT_WRITEDATA, static_cast<void*>(this));
        set(CURLOPT_WRITEFUNCTION, take_body);
    }

    [[nodiscard]] CURL* easy() const { return easy_.get(); }

    [[nodiscard]] Answer answer(CURLcode code) const {
        if (code != CURLE_OK) {
            return {.error = curl_easy_strerror(code)};
        }
        Answer answer;
        long status = 0;
        curl_easy_getinfo(easy(), CURLINFO_RESPONSE_CODE, &status);
        answer.status = static_cast<unsigned>(status);
        curl_off_t retry_after = 0;
        if (curl_easy_getinfo(easy(), CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK && retry_after > 0) {
            answer.retry_after = std::chrono::seconds{retry_after};
        }
        const char* location = nullptr;
        if (curl_easy_getinfo(easy(), CURLINFO_REDIRECT_URL, &location) == CURLE_OK && location != nullptr) {
            answer.location = location;
        }
        return answer;
    }

private:
    struct FreeStrings {
        void operator()(curl_slist* list) const { curl_slist_free_all(list); }
    };
    using Strings = std::unique_ptr<curl_slist, FreeStrings>;
    struct FreeRequest {
        void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
    };

    static void append(Strings& list, const std::string& text) {
        auto* const longer = curl_slist_append(list.get(), text.c_str());
        if (longer == nullptr) {
            throw std::bad_alloc{};
        }
        static_cast<void>(list.release());
        list.reset(longer);
    }

    template <typename T>
    void set(CURLoption option, T value) {
        if (curl_easy_setopt(easy(), option, value) != CURLE_OK) {
            throw std::bad_alloc{};
        }
    }

    static int mark_socket(void* mark, curl_socket_t fd, curlsocktype) {
        return resolver::set_mark(fd, *static_cast<const resolver::SocketMark*>(mark)) ? CURL_SOCKOPT_OK
                                                                                       : CURL_SOCKOPT_ERROR;
    }

    static CURLcode trust_system(CURL*, void* context, void*) {
        return SSL_CTX_set_default_verify_paths(static_cast<SSL_CTX*>(context)) == 1 ? CURLE_OK
                                                                                     : CURLE_SSL_CACERT_BADFILE;
    }

    /// Nobody reads it, but it must end.
    static std::size_t take_body(const char*, std::size_t, std::size_t size, void* self) {
        auto& received = static_cast<Request*>(self)->received_;
        received += size;
        return received <= kMaxAnswer ? size : 0;
    }

    resolver::SocketMark mark_;
    std::size_t received_ = 0;
    Strings headers_;
    Strings addresses_;
    std::unique_ptr<CURL, FreeRequest> easy_;
};

void CurlTransport::CloseMulti::operator()(void* multi) const {
    curl_multi_cleanup(multi);
}

CurlTransport::CurlTransport(Options options) : options_{std::move(options)} {
    initialise_curl();
    multi_.reset(curl_multi_init());
    if (!multi_) {
        throw std::bad_alloc{};
    }
}

CurlTransport::~CurlTransport() = default;

std::optional<Answer> CurlTransport::post(const Destination& to, const std::string& token, const std::string& body) {
    std::vector<net::IpAddress> addresses;
    if (!net::IpAddress::parse(to.host)) {
        addresses = options_.look_up(to.host);
        if (addresses.empty()) {
            return options_.attend() ? std::optional{Answer{.error = "the host has no addresses"}} : std::nullopt;
        }
    }
    const Request request{to, addresses, token, body, options_.mark};
    if (curl_multi_add_handle(multi_.get(), request.easy()) != CURLM_OK) {
        throw std::bad_alloc{};
    }
    std::optional<Answer> answer;
    bool is_going_on = true;
    while (is_going_on && !answer) {
        int running = 0;
        curl_multi_perform(multi_.get(), &running);
        int left = 0;
        while (const auto* message = curl_multi_info_read(multi_.get(), &left)) {
            if (message->msg == CURLMSG_DONE) {
                answer = request.answer(message->data.result);
            }
        }
        if (!answer) {
            curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(kAttention.count()), nullptr);
            is_going_on = options_.attend();
        }
    }
    curl_multi_remove_handle(multi_.get(), request.easy());
    return answer;
}

bool CurlTransport::pause(Duration duration) {
    const auto end = io::monotonic_now() + duration;
    while (options_.attend()) {
        const auto now = io::monotonic_now();
        if (now >= end) {
            return true;
        }
        const auto rest = std::chrono::ceil<std::chrono::milliseconds>(end - now);
        const auto longest = std::chrono::milliseconds{std::chrono::hours{1}};
        curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(std::min(rest, longest).count()), nullptr);
    }
    return false;
}

void CurlTransport::wake() {
    curl_multi_wakeup(multi_.get());
}

}  // namespace culvert::flow_upload
