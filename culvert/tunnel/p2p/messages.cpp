#include "culvert/tunnel/p2p/messages.h"

#include <bitset>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace culvert::tunnel::p2p {
namespace {

namespace json = boost::json;
using boost::system::error_code;

/// What the members of a message are, besides `resource` and `domain`.
struct AssignedIpsMembers {
    using Message = AssignedIps;
    static constexpr std::string_view kName = "proxy_ips";
    static constexpr bool kIsList = true;

    static bool add(AssignedIps& message, const std::string& text) {
        const auto address = net::IpAddress::parse(text);
        if (address) {
            message.proxy_ips.push_back(*address);
        }
        return address.has_value();
    }
};
struct DomainStatusMembers {
    using Message = DomainStatus;
    static constexpr std::string_view kName = "status";
    static constexpr bool kIsList = false;

    static bool add(DomainStatus& message, const std::string& text) {
        message.status = text == "Active" ? NatStatus::kActive : NatStatus::kInactive;
        return true;
    }
};

/// Reads a message from the parser's events: the document tree of Boost.JSON would hide repeated members, which the
/// protocol forbids.
template <typename Members>
class MessageHandler {
public:
    static constexpr std::size_t max_object_size = std::size_t(-1);
    static constexpr std::size_t max_array_size = std::size_t(-1);
    static constexpr std::size_t max_key_size = std::size_t(-1);
    static constexpr std::size_t max_string_size = std::size_t(-1);

    [[nodiscard]] bool is_complete() const { return seen_.all(); }
    [[nodiscard]] Members::Message take() { return std::move(result_); }

    bool on_document_begin(error_code&) { return true; }
    bool on_document_end(error_code&) { return true; }

    bool on_object_begin(error_code& error) {
        const bool is_acceptable = depth_ == 0 || !is_known_member();
        ++depth_;
        return require(is_acceptable, error);
    }
    bool on_object_end(std::size_t, error_code&) {
        --depth_;
        return true;
    }

    bool on_array_begin(error_code& error) {
        const bool begins_list = Members::kIsList && depth_ == 1 && member_ == Member::kOwn;
        const bool is_acceptable = depth_ > 0 && (!is_known_member() || begins_list);
        ++depth_;
        return require(is_acceptable, error);
    }
    bool on_array_end(std::size_t, error_code&) {
        --depth_;
        return true;
    }

    bool on_key_part(json::string_view part, std::size_t, error_code&) {
        text_ += part;
        return true;
    }
    bool on_key(json::string_view last_part, std::size_t, error_code& error) {
        const auto key = take_text(last_part);
        if (depth_ != 1) {
            return true;
        }
        member_ = member_of(key);
        if (!is_known_member()) {
            return true;
        }
        const auto index = static_cast<std::size_t>(member_);
        const bool is_first = !seen_.test(index);
        seen_.set(index);
        return require(is_first, error);
    }

    bool on_string_part(json::string_view part, std::size_t, error_code&) {
        text_ += part;
        return true;
    }
    bool on_string(json::string_view last_part, std::size_t, error_code& error) {
        return require(accept(take_text(last_part)), error);
    }

    bool on_number_part(json::string_view, error_code&) { return true; }
    bool on_int64(std::int64_t, json::string_view, error_code& error) { return ignore_value(error); }
    bool on_uint64(std::uint64_t, json::string_view, error_code& error) { return ignore_value(error); }
    bool on_double(double, json::string_view, error_code& error) { return ignore_value(error); }
    bool on_bool(bool, error_code& error) { return ignore_value(error); }
    bool on_null(error_code& error) { return ignore_value(error); }
    bool on_comment_part(json::string_view, error_code&) { return true; }
    bool on_comment(json::string_view, error_code&) { return true; }

private:
    enum class Member : std::uint8_t { kResource, kDomain, kOwn, kUnknown };

    [[nodiscard]] static Member member_of(std::string_view key) {
        if (key == "resource") {
            return Member::kResource;
        }
        if (key == "domain") {
            return Member::kDomain;
        }
        return key == Members::kName ? Member::kOwn : Member::kUnknown;
    }

    [[nodiscard]] bool is_known_member() const { return member_ != Member::kUnknown; }

    std::string take_text(json::string_view last_part) {
        text_ += last_part;
        return std::exchange(text_, {});
    }

    static bool require(bool condition, error_code& error) {
        if (!condition) {
            error = make_error_code(boost::system::errc::invalid_argument);
        }
        return condition;
    }

    bool ignore_value(error_code& error) const { return require(depth_ > 0 && !is_known_member(), error); }

    bool accept(std::string text) {
        if (depth_ == 0 || !is_known_member()) {
            return depth_ > 0;
        }
        switch (member_) {
            case Member::kResource:
                if (const auto id = ResourceId::parse(text)) {
                    result_.resource = *id;
                    return true;
                }
                return false;
            case Member::kDomain:
                result_.domain = std::move(text);
                return true;
            case Member::kOwn:
                return depth_ == (Members::kIsList ? 2 : 1) && Members::add(result_, text);
            case Member::kUnknown:
                break;
        }
        return true;
    }

    Members::Message result_;
    std::bitset<3> seen_;
    Member member_ = Member::kUnknown;
    std::size_t depth_ = 0;
    std::string text_;
};

std::string_view to_text(NatStatus status) {
    return status == NatStatus::kActive ? "Active" : "Inactive";
}

template <typename Members>
std::optional<typename Members::Message> decode(ByteSpan payload) {
    json::basic_parser<MessageHandler<Members>> parser{json::parse_options{}};
    const auto text = as_text(payload);
    error_code error;
    const auto consumed = parser.write_some(false, text.data(), text.size(), error);
    if (error || consumed != text.size() || !parser.done() || !parser.handler().is_complete()) {
        return std::nullopt;
    }
    return parser.handler().take();
}

}  // namespace

std::optional<AssignedIps> decode_assigned_ips(ByteSpan payload) {
    return decode<AssignedIpsMembers>(payload);
}

std::optional<DomainStatus> decode_domain_status(ByteSpan payload) {
    return decode<DomainStatusMembers>(payload);
}

std::string encode(const AssignedIps& assigned) {
    json::array proxy_ips;
    for (const auto& address : assigned.proxy_ips) {
        proxy_ips.emplace_back(address.to_string());
    }
    return json::serialize(json::object{
        {"resource", assigned.resource.to_string()}, {"domain", assigned.domain}, {"proxy_ips", std::move(proxy_ips)}});
}

std::string encode(const DomainStatus& status) {
    return json::serialize(json::object{
        {"resource", status.resource.to_string()}, {"domain", status.domain}, {"status", to_text(status.status)}});
}

}  // namespace culvert::tunnel::p2p
