#include "culvert/portal/configuration.h"

#include <algorithm>
#include <set>

#include <boost/json.hpp>

#include "culvert/base/printable.h"
#include "culvert/portal/configuration_value.h"
#include "culvert/portal/constants.h"
#include "culvert/portal/duplicate_keys.h"
#include "culvert/portal/fields.h"
#include "culvert/portal/policy_condition_fields.h"
#include "culvert/portal/resource_address.h"

namespace culvert::portal {
namespace {

namespace json = boost::json;

/// Refuses a second entry with the same name.
class Names {
public:
    void add(const ConfigurationValue& node, const std::string& name) {
        if (!seen_.insert(name).second) {
            node.fail("\"" + name + "\" is listed twice");
        }
    }

private:
    std::set<std::string> seen_;
};

/// The former name, if the entry gives one. `former` sees to it that no two entries give the same.
std::optional<std::string> parse_renamed_from(const ConfigurationValue& node, const std::string& name, Names& former) {
    const auto renamed_from = node.find("renamed_from");
    if (!renamed_from) {
        return std::nullopt;
    }
    auto old = renamed_from->text(1, 512);
    if (old == name) {
        renamed_from->fail("is the same as the name; leave it out");
    }
    former.add(*renamed_from, old);
    return old;
}

Configuration::Dns parse_dns(const ConfigurationValue& node) {
    node.check_keys({"search_domain", "upstream", "doh"});
    Configuration::Dns dns;
    if (const auto domain = node.find("search_domain")) {
        dns.search_domain = fields::search_domain(*domain);
    }
    if (const auto upstream = node.find("upstream")) {
        dns.upstream = fields::upstream_dns(*upstream);
    }
    if (const auto doh = node.find("doh")) {
        dns.doh = fields::upstream_doh(*doh);
        if (!dns.doh.empty() && !dns.upstream.empty()) {
            doh->fail(fields::kNeverAsked);
        }
    }
    return dns;
}

Configuration::AccountSection parse_account(const ConfigurationValue& node) {
    node.check_keys({"name", "slug", "client_session_lifetime_secs", "dns"});
    Configuration::AccountSection account;
    if (const auto name = node.find("name")) {
        account.name = fields::account_name(*name);
    }
    if (const auto slug = node.find("slug")) {
        account.slug = fields::slug(*slug);
    }
    if (const auto lifetime = node.find("client_session_lifetime_secs")) {
        account.client_session_lifetime = fields::client_session_lifetime(*lifetime);
    }
    if (const auto dns = node.find("dns")) {
        account.dns = parse_dns(*dns);
    }
    return account;
}

std::vector<Configuration::SiteEntry> parse_sites(const ConfigurationValue& section) {
    std::vector<Configuration::SiteEntry> sites;
    Names names;
    Names former;
    for (const auto& node : section.items()) {
        node.check_keys({"name", "renamed_from"});
        sites.push_back({fields::site_name(node.get("name")), std::nullopt});
        sites.back().renamed_from = parse_renamed_from(node, sites.back().name, former);
        names.add(node, sites.back().name);
    }
    return sites;
}

std::vector<Configuration::ActorEntry> parse_actors(const ConfigurationValue& section) {
    std::vector<Configuration::ActorEntry> actors;
    Names names;
    Names former;
    for (const auto& node : section.items()) {
        node.check_keys({"name", "renamed_from", "type", "email", "disabled"});
        Configuration::ActorEntry actor{.name = fields::actor_name(node.get("name")), .renamed_from = {}};
        actor.renamed_from = parse_renamed_from(node, actor.name, former);
        actor.type = fields::actor_type(node.get("type"));
        if (const auto email = node.find("email")) {
            actor.email = fields::actor_email(*email);
        }
        if (const auto disabled = node.find("disabled")) {
            actor.is_disabled = disabled->boolean();
        }
        names.add(node, actor.name);
        actors.push_back(std::move(actor));
    }
    return actors;
}

std::vector<std::string> parse_references(const ConfigurationValue& node) {
    std::vector<std::string> references;
    Names names;
    for (const auto& item : node.items()) {
        references.push_back(item.text(1, 512));
        names.add(item, references.back());
    }
    return references;
}

std::vector<Configuration::GroupEntry> parse_groups(const ConfigurationValue& section) {
    std::vector<Configuration::GroupEntry> groups;
    Names names;
    Names former;
    for (const auto& node : section.items()) {
        node.check_keys({"name", "renamed_from", "members"});
        Configuration::GroupEntry group{
            .name = fields::group_name(node.get("name")), .renamed_from = {}, .members = {}};
        group.renamed_from = parse_renamed_from(node, group.name, former);
        if (const auto members = node.find("members")) {
            group.members = parse_references(*members);
        }
        names.add(node, group.name);
        groups.push_back(std::move(group));
    }
    return groups;
}

std::vector<Configuration::MemberEntry> parse_members(const ConfigurationValue& node) {
    std::vector<Configuration::MemberEntry> members;
    Names names;
    for (const auto& item : node.items()) {
        item.check_keys({"actor", "external_id"});
        Configuration::MemberEntry member{item.get("actor").text(1, 512),
                                          item.get("external_id").text(1, kMaxTextCharacters)};
        names.add(item, member.actor + "\", \"" + member.external_id);
        if (members.size() == kMaxPoolDevices) {
            node.fail("names more than " + std::to_string(kMaxPoolDevices) + " devices; make several pools of them");
        }
        members.push_back(std::move(member));
    }
    return members;
}

Configuration::ResourceEntry parse_resource(const ConfigurationValue& node) {
    node.check_keys(
        {"name", "renamed_from", "type", "address", "address_description", "ip_stack", "sites", "filters", "devices"});
    Configuration::ResourceEntry entry;
    auto& resource = entry.resource;
    resource.name = fields::resource_name(node.get("name"));
    if (const auto type = node.get("type"); type.text(0, 255) == "dynamic_device_pool") {
        type.fail("dynamic pools of devices are not offered; list the devices of a static_device_pool");
    }
    resource.type = fields::resource_type(node.get("type"));
    if (resource.type == ResourceType::kStaticDevicePool) {
        for (const auto* key : {"address", "address_description", "sites"}) {
            if (const auto surplus = node.find(key)) {
                surplus->fail("a static_device_pool has none; list its \"devices\"");
            }
        }
        entry.members = parse_members(node.get("devices"));
    } else if (const auto devices = node.find("devices")) {
        devices->fail("is for resources of type static_device_pool only");
    } else if (resource.type == ResourceType::kInternet) {
        if (const auto address = node.find("address")) {
            resource.address = fields::resource_address(*address, resource.type);
        }
    } else {
        resource.address = fields::resource_address(node.get("address"), resource.type);
    }
    if (const auto description = node.find("address_description")) {
        resource.address_description = fields::address_description(*description);
    }
    if (const auto ip_stack = node.find("ip_stack")) {
        resource.ip_stack = fields::ip_stack(*ip_stack, resource.type);
    }
    if (resource.type != ResourceType::kStaticDevicePool) {
        entry.sites = parse_references(node.get("sites"));
        if (entry.sites.empty()) {
            node.get("sites").fail("must name at least one site");
        }
    }
    if (const auto filters = node.find("filters")) {
        resource.filters = fields::filters(*filters);
    }
    return entry;
}

std::vector<Configuration::ResourceEntry> parse_resources(const ConfigurationValue& section) {
    std::vector<Configuration::ResourceEntry> resources;
    Names names;
    Names former;
    bool has_internet = false;
    for (const auto& node : section.items()) {
        auto entry = parse_resource(node);
        entry.renamed_from = parse_renamed_from(node, entry.resource.name, former);
        names.add(node, entry.resource.name);
        if (entry.resource.type == ResourceType::kInternet && std::exchange(has_internet, true)) {
            node.fail("a second resource of type internet; there can be only one");
        }
        resources.push_back(std::move(entry));
    }
    return resources;
}

std::vector<Configuration::PolicyEntry> parse_policies(const ConfigurationValue& section) {
    std::vector<Configuration::PolicyEntry> policies;
    Names names;
    for (const auto& node : section.items()) {
        node.check_keys({"group", "resource", "conditions", "description", "disabled", "flow_logs"});
        Configuration::PolicyEntry policy{.group = node.get("group").text(1, kMaxTextCharacters),
                                          .resource = node.get("resource").text(1, kMaxTextCharacters)};
        if (const auto conditions = node.find("conditions")) {
            policy.conditions = fields::policy_conditions(*conditions);
        }
        if (const auto disabled = node.find("disabled")) {
            policy.is_disabled = disabled->boolean();
        }
        if (const auto flow_logs = node.find("flow_logs")) {
            policy.logs_flows = flow_logs->boolean();
        }
        if (const auto description = node.find("description")) {
            policy.description = fields::policy_description(*description);
        }
        names.add(node, policy.group + "\" -> \"" + policy.resource);
        policies.push_back(std::move(policy));
    }
    return policies;
}

FlowLogging parse_flow_logging(const ConfigurationValue& node) {
    node.check_keys(
        {"enabled", "api_url", "upload_interval_secs", "upload_batch_size", "retention_days", "max_records"});
    FlowLogging logging;
    logging.is_on = node.get("enabled").boolean();
    if (const auto url = node.find("api_url")) {
        logging.api_url = url->checked(parse_api_url(url->text(1, kMaxTextCharacters)));
    } else if (logging.is_on) {
        node.fail("needs \"api_url\", where devices reach this portal, such as https://portal.example.com");
    }
    if (const auto interval = node.find("upload_interval_secs")) {
        logging.upload_interval = std::chrono::seconds{interval->number(1, kMaxUploadInterval)};
    }
    if (const auto batch = node.find("upload_batch_size")) {
        logging.upload_batch_size = static_cast<std::uint32_t>(batch->number(1, portal_api::kMaxFlowRecords));
    }
    if (const auto days = node.find("retention_days")) {
        logging.retention = std::chrono::days{days->number(1, kMaxFlowLogDays)};
    }
    if (const auto records = node.find("max_records")) {
        logging.max_records = static_cast<std::uint64_t>(records->number(1, kMaxFlowLogRecords));
    }
    return logging;
}

/// How the text starts that is not plain UTF-8, as a JSON text must be; unset: it may be.
std::optional<std::string_view> foreign_encoding(std::string_view text) {
    using namespace std::string_view_literals;
    if (text.starts_with("\xef\xbb\xbf"sv)) {
        return "starts with a byte-order mark (bytes EF BB BF)";
    }
    if (text.starts_with("\xff\xfe\0\0"sv) || text.starts_with("\0\0\xfe\xff"sv)) {
        return "is UTF-32";
    }
    if (text.starts_with("\xff\xfe"sv) || text.starts_with("\xfe\xff"sv)) {
        return "is UTF-16";
    }
    // JSON starts with an ASCII character (RFC 4627 section 3).
    if (text.size() >= 4 && text[0] == '\0') {
        return text[1] == '\0' ? "is UTF-32" : "is UTF-16";
    }
    if (text.size() >= 4 && text[1] == '\0') {
        return text[2] == '\0' ? "is UTF-32" : "is UTF-16";
    }
    return is_utf8(text) ? std::nullopt : std::optional{"is not UTF-8"sv};
}

/// What people write who are used to more than JSON.
std::string_view hint(std::string_view before, char found) {
    const auto last = before.find_last_not_of(" \t\r\n");
    if ((found == ']' || found == '}') && last != std::string_view::npos && before[last] == ',') {
        return ": remove the comma in front of it";
    }
    if (found == '/' || found == '#') {
        return ": JSON has no comments";
    }
    return found == '\'' ? ": use double quotes" : "";
}

std::string explain_syntax(std::string_view text, std::size_t consumed, const std::string& message) {
    consumed = std::min(text.find_first_not_of(" \t\r\n", consumed), text.size());
    const auto before = text.substr(0, consumed);
    const auto line = 1 + std::ranges::count(before, '\n');
    const auto place = "line " + std::to_string(line) + ": not valid JSON: ";
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
        return "line 1: not valid JSON: it is empty; without anything to change, write {}";
    }
    if (consumed >= text.size()) {
        return place + "it ends too early (" + message + ")";
    }
    const auto column = consumed - (before.rfind('\n') + 1) + 1;  // npos + 1 is 0
    return place + message + " at column " + std::to_string(column) + ", \"" + std::string{text.substr(consumed, 1)} +
           "\"" + std::string{hint(before, text[consumed])};
}

Configuration parse_document(const json::value& document) {
    const ConfigurationValue root{document, ""};
    root.check_keys({"account", "sites", "actors", "groups", "resources", "policies", "flow_logs"});
    const auto section = [&](std::string_view name, auto parse, auto& out) {
        if (const auto node = root.find(name)) {
            out = parse(*node);
        }
    };
    Configuration configuration;
    section("account", parse_account, configuration.account);
    section("sites", parse_sites, configuration.sites);
    section("actors", parse_actors, configuration.actors);
    section("groups", parse_groups, configuration.groups);
    section("resources", parse_resources, configuration.resources);
    section("policies", parse_policies, configuration.policies);
    section("flow_logs", parse_flow_logging, configuration.flow_logging);
    return configuration;
}

}  // namespace

std::expected<Configuration, std::string> Configuration::parse(std::string_view text) {
    if (const auto encoding = foreign_encoding(text)) {
        return std::unexpected{"the file " + std::string{*encoding} +
                               "; save it as UTF-8 without a byte-order mark and try again"};
    }
    json::error_code error;
    json::stream_parser parser;
    const auto consumed = parser.write({text.data(), text.size()}, error);
    if (!error) {
        parser.finish(error);
    }
    if (error) {
        return std::unexpected{explain_syntax(text, consumed, error.message())};
    }
    if (const auto place = find_duplicate_key(text)) {
        return std::unexpected{*place + ": appears twice in the same object; keep one of the two"};
    }
    try {
        return parse_document(parser.release());
    } catch (const ConfigurationProblem& problem) {
        return std::unexpected{problem.text};
    }
}

}  // namespace culvert::portal
