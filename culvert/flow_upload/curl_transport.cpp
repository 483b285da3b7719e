#include "culvert/flow_upload/curl_transport.h"

#include <algorithm>
#include <new>
#include <utility>

#include "culvert/flow_upload/constants.h"
#include "culvert/io/clock.h"
#include "culvert/resolver/curl_request.h"

namespace culvert::flow_upload {

/// One request, as long as it takes.
class CurlTransport::Request {
public:
    Request(const Destination& to, const std::vector<net::IpAddress>& addresses, const std::string& token,
            const std::string& body, const resolver::SocketMark& mark)
        : request_{{.url = to.url,
                    .protocol = to.url.starts_with("https:") ? "https" : "http",
                    .host = to.host,
                    .port = to.port,
                    .addresses = addresses,
                    // No round trip before the body.
                    .headers = {"Authorization: Bearer " + token, "Content-Type: application/json", "Expect:"},
                    .time = kRequestTime,
                    .mark = mark}} {
        request_.set(CURLOPT_POST, 1L);
        request_.set(CURLOPT_POSTFIELDS, body.c_str());
        request_.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
        request_.set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(kConnectTime.count()));
        request_.set(CURLOPT_WRITEDATA, static_cast<void*>(this));
        request_.set(CURLOPT_WRITEFUNCTION, take_body);
    }

    [[nodiscard]] CURL* easy() const { return request_.easy(); }

    [[nodiscard]] Answer answer(CURLcode code) const {
        if (code != CURLE_OK) {
            return {.error = curl_easy_strerror(code), .is_untrusted = code == CURLE_PEER_FAILED_VERIFICATION};
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
    /// Nobody reads it, but it must end.
    static std::size_t take_body(const char*, std::size_t, std::size_t size, void* self) {
        auto& received = static_cast<Request*>(self)->received_;
        received += size;
        return received <= kMaxAnswer ? size : 0;
    }

    std::size_t received_ = 0;
    resolver::CurlRequest request_;
};

CurlTransport::CurlTransport(Options options) : options_{std::move(options)}, multi_{resolver::open_curl_multi()} {}

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
