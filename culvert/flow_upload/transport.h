#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "culvert/base/time.h"

namespace culvert::flow_upload {

/// Where records are posted to.
struct Destination {
    std::string url;
    std::string host;
    std::uint16_t port = 443;
};

/// What a server said to a batch.
struct Answer {
    /// 0: there was no answer.
    unsigned status = 0;
    std::optional<std::chrono::seconds> retry_after = std::nullopt;
    /// Of a redirect: an absolute URL.
    std::string location = {};
    /// Why there was no answer.
    std::string error = {};
    /// Because the server did not prove who it is. It was sent nothing.
    bool is_untrusted = false;
};

/// The network, and time that passes, for Uploader.
class Transport {
public:
    Transport() = default;
    virtual ~Transport() = default;
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;

    /// nullopt: the program ends.
    [[nodiscard]] virtual std::optional<Answer> post(const Destination& to, const std::string& token,
                                                     const std::string& body) = 0;
    /// False: the program ends.
    [[nodiscard]] virtual bool pause(Duration duration) = 0;
};

/// Where a batch goes if the portal names this URL: to a fixed path, whatever path the URL has (spec/newer-dialect.md
/// section 11.1). Unlike Firezone's devices ours use the port that it names. Without TLS only if `allows_plain_text`.
/// nullopt: that is no such URL.
[[nodiscard]] std::optional<Destination> destination_of(const std::string& api_url, bool allows_plain_text);

/// Where a redirect leads: HTTPS on port 443 without credentials, or nowhere.
[[nodiscard]] std::optional<Destination> redirected_to(const std::string& location);

}  // namespace culvert::flow_upload
