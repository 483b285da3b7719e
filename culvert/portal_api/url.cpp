#include "culvert/portal_api/url.h"

#include <algorithm>

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

namespace culvert::portal_api {
namespace {

// Of the web's WebSockets with TLS; also used for plain ones, where nobody leaves the port out.
constexpr std::uint16_t kDefaultPort = 443;

// What firmware says when the vendor filled in nothing.
constexpr std::string_view kPlaceholderSerial = "123456789";

/// The parameters in the order of section 2.1.
class Query {
public:
    void add(std::string_view key, std::string_view value) {
        text_ += text_.empty() ? '?' : '&';
        text_ += form_encode(key);
        text_ += '=';
        text_ += form_encode(value);
    }
    void add(std::string_view key, const std::optional<std::string>& value) {
        if (value) {
            add(key, std::string_view{*value});
        }
    }
    void add(std::string_view key, const std::optional<net::IpAddress>& value) {
        if (value) {
            add(key, std::string_view{value->to_string()});
        }
    }
    [[nodiscard]] const std::string& text() const { return text_; }

private:
    std::string text_;
};

std::string to_lower(std::string_view text) {
    std::string lower{text};
    for (auto& c : lower) {
        if (c >= 'A' && c <= 'Z') {
            c = static_cast<char>(c - 'A' + 'a');
        }
    }
    return lower;
}

/// Of all that ever separates words.
constexpr std::string_view kWhiteSpace = " \t\r\n\v\f";

/// Copied tokens have line breaks in them.
std::string without_white_space(std::string_view text) {
    std::string rest{text};
    std::erase_if(rest, [](char c) { return kWhiteSpace.find(c) != std::string_view::npos; });
    return rest;
}

/// Whether it can stand in a header.
bool is_visible(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

/// Of relays the portal's generation cannot be told from an answer, so old ones find their token where they look for
/// it.
bool has_token(Role role, Dialect dialect) {
    return dialect == Dialect::kV1 || role == Role::kRelay;
}

std::string build_query(const LoginParameters& parameters, const std::string& token, Dialect dialect) {
    const bool is_relay = parameters.role == Role::kRelay;
    Query query;
    if (has_token(parameters.role, dialect)) {
        query.add("token", std::string_view{token});
    }
    if (!is_relay) {
        query.add("external_id", std::string_view{parameters.external_id});
    }
    query.add("name", parameters.name);
    if (is_relay) {
        query.add("ipv4", parameters.public_ipv4);
        query.add("ipv6", parameters.public_ipv6);
        query.add("port", std::string_view{std::to_string(parameters.port)});
    }
    if (parameters.role == Role::kClient) {
        const auto& device = parameters.device;
        if (device.serial != kPlaceholderSerial) {
            query.add("device_serial", device.serial);
        }
        query.add("device_uuid", device.uuid);
        query.add("identifier_for_vendor", device.identifier_for_vendor);
        query.add("firebase_installation_id", device.firebase_installation_id);
    }
    return query.text();
}

}  // namespace

std::string form_encode(std::string_view text) {
    static constexpr std::string_view kDigits = "0123456789ABCDEF";
    std::string encoded;
    encoded.reserve(text.size());
    for (const char c : text) {
        const bool is_plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '*' ||
                              c == '-' || c == '.' || c == '_';
        if (is_plain) {
            encoded += c;
        } else if (c == ' ') {
            encoded += '+';
        } else {
            const auto byte = static_cast<unsigned char>(c);
            encoded += '%';
            encoded += kDigits[byte >> 4U];
            encoded += kDigits[byte & 15U];
        }
    }
    return encoded;
}

std::expected<LoginUrl, std::string> LoginUrl::build(std::string_view base_url, const LoginParameters& parameters) {
    const auto parsed = boost::urls::parse_uri({base_url.data(), base_url.size()});
    // The parser takes "h:port" for a host with an empty port and a path without slash.
    if (!parsed || (!parsed->encoded_path().empty() && !parsed->encoded_path().starts_with('/'))) {
        return std::unexpected{"The API URL is not a valid URL such as wss://portal.example.com."};
    }
    LoginUrl url;
    const auto scheme = to_lower({parsed->scheme().data(), parsed->scheme().size()});
    url.is_tls_ = scheme == "https" || scheme == "wss";
    if (!url.is_tls_ && scheme != "http" && scheme != "ws") {
        return std::unexpected{"The API URL must start with wss://, ws://, https:// or http://."};
    }
    if (parsed->host().empty()) {
        return std::unexpected{"The API URL has no host."};
    }
    if (parsed->has_userinfo()) {
        return std::unexpected{"The API URL has a user name or password in it; portals know devices by their token."};
    }
    url.token_ = without_white_space(parameters.token);
    if (!is_visible(url.token_)) {
        return std::unexpected{"The token has characters in it that no token has."};
    }
    url.host_ = parsed->host_address();
    if (parsed->has_port() && !parsed->port().empty()) {
        url.port_ = parsed->port_number();
        if (url.port_ == 0) {
            return std::unexpected{"The API URL has an invalid port."};
        }
    } else {
        url.port_ = kDefaultPort;
    }

    std::string path{parsed->encoded_path().data(), parsed->encoded_path().size()};
    if (!path.ends_with('/')) {
        path += '/';
    }
    path += to_topic(parameters.role);
    const bool has_versions = parameters.role != Role::kRelay;
    url.older_target_ = path + "/websocket" + build_query(parameters, url.token_, Dialect::kV1);
    url.newer_target_ =
        path + (has_versions ? "/v2/websocket" : "/websocket") + build_query(parameters, url.token_, Dialect::kV2);
    return url;
}

std::string LoginUrl::host_header() const {
    return host_.find(':') == std::string::npos ? host_ : "[" + host_ + "]";
}

std::string LoginUrl::target(Dialect dialect, const std::optional<crypto::PublicKey>& public_key) const {
    const auto& target = dialect == Dialect::kV1 ? older_target_ : newer_target_;
    return public_key ? target + "&public_key=" + form_encode(public_key->to_string()) : target;
}

std::string LoginUrl::without_token(std::string text) const {
    static constexpr std::string_view kHidden = "[token]";
    static constexpr std::string_view kParameter = "token=";
    static constexpr std::string_view kEnds = "&\"'<> \t\r\n";
    for (const auto& secret : {token_, form_encode(token_)}) {
        for (auto at = secret.empty() ? std::string::npos : text.find(secret); at != std::string::npos;
             at = text.find(secret, at + kHidden.size())) {
            text.replace(at, secret.size(), kHidden);
        }
    }
    for (auto at = text.find(kParameter); at != std::string::npos; at = text.find(kParameter, at)) {
        at += kParameter.size();
        text.replace(at, std::min(text.find_first_of(kEnds, at), text.size()) - at, kHidden);
    }
    return text;
}

}  // namespace culvert::portal_api
