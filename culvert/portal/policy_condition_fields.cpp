#include "culvert/portal/policy_condition_fields.h"

#include <algorithm>
#include <array>
#include <set>
#include <stdexcept>
#include <utility>

#include <boost/json.hpp>

#include "culvert/portal/constants.h"
#include "culvert/portal/time_zone.h"

namespace culvert::portal {
namespace {

namespace json = boost::json;

using NamedProperty = std::pair<std::string_view, ConditionProperty>;
constexpr std::array kProperties{NamedProperty{"remote_ip", ConditionProperty::kRemoteIp},
                                 NamedProperty{"auth_provider_id", ConditionProperty::kAuthProvider},
                                 NamedProperty{"current_utc_datetime", ConditionProperty::kTime},
                                 NamedProperty{"client_verified", ConditionProperty::kClientVerified}};

ConditionProperty parse_property(const ConfigurationValue& value) {
    const auto name = value.text(1, kMaxTextCharacters);
    if (name == "provider_id") {  // its name until 2026
        return ConditionProperty::kAuthProvider;
    }
    if (name == "remote_ip_location_region") {
        value.fail(
            "remote_ip_location_region is not supported: this portal has no database of where addresses are; use "
            "remote_ip, or leave the policy out, because without its condition it would grant more than intended");
    }
    return value.one_of(kProperties);
}

bool parse_is_in(const ConfigurationValue& value, std::string_view in, std::string_view not_in) {
    return value.one_of(std::array{std::pair{in, true}, std::pair{not_in, false}});
}

/// Values without repetition. An empty list would never let anybody through, and is a mistake.
template <typename T, typename Parse>
std::vector<T> parse_values(const ConfigurationValue& node, const Parse& parse) {
    std::vector<T> values;
    for (const auto& item : node.items()) {
        auto one = item.checked(parse(item.text(1, kMaxTextCharacters)));
        if (std::ranges::count(values, one) > 0) {
            item.fail("is listed twice");
        }
        if (values.size() == kMaxConditionValues) {
            node.fail("has more than " + std::to_string(kMaxConditionValues) + " values");
        }
        values.push_back(std::move(one));
    }
    if (values.empty()) {
        node.fail("must have at least one value; to let nobody through, disable the policy");
    }
    return values;
}

std::expected<net::IpNetwork, std::string> parse_network(const std::string& text) {
    if (const auto address = net::IpAddress::parse(text)) {
        return net::IpNetwork::host(*address);
    }
    if (const auto network = net::IpNetwork::parse(text)) {
        return *network;
    }
    const auto slash = text.find('/');
    const auto address = net::IpAddress::parse(text.substr(0, slash));
    if (address && slash != std::string::npos) {
        return std::unexpected{"\"" + text +
                               "\" is no network: the prefix length must fit, and the bits behind it be zero"};
    }
    return std::unexpected{"\"" + text + "\" must be an address or a network, such as 203.0.113.7 or 2001:db8::/32"};
}

std::expected<Uuid, std::string> parse_provider(const std::string& text) {
    const auto id = Uuid::parse(text);
    return id ? std::expected<Uuid, std::string>{*id}
              : std::unexpected{"\"" + text + "\" must be the id of a provider, which is a UUID"};
}

/// What stands in the database counts as it is: a place that the tz database has lost is never open.
enum class Zones { kMustExist, kMayBeGone };

std::expected<DayHours, std::string> parse_hours(const std::string& text, Zones zones) {
    auto hours = DayHours::parse(text);
    if (hours && zones == Zones::kMustExist && !TimeZone::find(hours->zone)) {
        return std::unexpected{"\"" + hours->zone + "\" is no time zone, such as Europe/Berlin or Etc/UTC"};
    }
    return hours;
}

PolicyCondition parse_condition(const ConfigurationValue& node, Zones zones) {
    node.check_keys({"property", "operator", "values"});
    const auto property = parse_property(node.get("property"));
    const auto chosen = node.get("operator");
    const auto values = node.get("values");
    switch (property) {
        case ConditionProperty::kRemoteIp: {
            const bool is_in = parse_is_in(chosen, "is_in_cidr", "is_not_in_cidr");
            return RemoteIpCondition{is_in, parse_values<net::IpNetwork>(values, parse_network)};
        }
        case ConditionProperty::kAuthProvider: {
            const bool is_in = parse_is_in(chosen, "is_in", "is_not_in");
            return AuthProviderCondition{is_in, parse_values<Uuid>(values, parse_provider)};
        }
        case ConditionProperty::kTime:
            static_cast<void>(
                chosen.one_of(std::array{std::pair<std::string_view, bool>{"is_in_day_of_week_time_ranges", true}}));
            return TimeCondition{
                parse_values<DayHours>(values, [&](const std::string& text) { return parse_hours(text, zones); })};
        case ConditionProperty::kClientVerified: {
            static_cast<void>(chosen.one_of(std::array{std::pair<std::string_view, bool>{"is", true}}));
            const auto items = values.items();
            if (items.size() != 1) {
                values.fail("must be one of [\"true\"] and [\"false\"]");
            }
            return ClientVerifiedCondition{items.front().one_of(
                std::array<std::pair<std::string_view, bool>, 2>{{{"true", true}, {"false", false}}})};
        }
    }
    node.fail("is not known");
}

PolicyConditions parse_conditions(const ConfigurationValue& value, Zones zones) {
    PolicyConditions conditions;
    std::set<ConditionProperty> seen;
    for (const auto& node : value.items()) {
        conditions.push_back(parse_condition(node, zones));
        if (!seen.insert(property_of(conditions.back())).second) {
            node.get("property").fail("has a condition already; put all of its values into one");
        }
    }
    return conditions;
}

}  // namespace

PolicyConditions fields::policy_conditions(const ConfigurationValue& value) {
    return parse_conditions(value, Zones::kMustExist);
}

json::array to_json(const PolicyConditions& conditions) {
    json::array list;
    for (const auto& condition : conditions) {
        json::array values;
        for (const auto& value : values_of(condition)) {
            values.emplace_back(value);
        }
        const auto property = to_string(property_of(condition));
        const auto chosen = operator_of(condition);
        list.emplace_back(json::object{{"property", json::string{property.data(), property.size()}},
                                       {"operator", json::string{chosen.data(), chosen.size()}},
                                       {"values", std::move(values)}});
    }
    return list;
}

std::string to_text(const PolicyConditions& conditions) {
    return json::serialize(to_json(conditions));
}

PolicyConditions conditions_from_text(std::string_view text) {
    try {
        const auto document = json::parse({text.data(), text.size()});
        return parse_conditions({document, ""}, Zones::kMayBeGone);
    } catch (const ConfigurationProblem& problem) {
        throw std::invalid_argument{problem.text};
    }
}

}  // namespace culvert::portal
