#include "apps/portal/options.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <string>
#include <vector>

#include "apps/portal/error_output.h"

namespace culvert::portal_server {
namespace {

constexpr std::string_view kDefaultDatabase = "sqlite:/var/lib/culvert/portal.db";
constexpr std::string_view kDefaultOpsListen = "127.0.0.1:8082";
constexpr std::string_view kNever = "never";
constexpr std::string_view kOff = "off";

/// Values as text, until all are known and can be checked.
struct RawOptions {
    std::string database{kDefaultDatabase};
    std::string log_format = "human";
    std::string api_listen = "127.0.0.1:8081";
    std::string ops_listen{kDefaultOpsListen};
    std::string web_listen;
    std::string web_root;
    std::string email;
    std::vector<std::string> trusted_proxies;
    portal::Limits limits;
    std::string forget_devices_after = "90d";
    std::string file;
    bool may_cut_off = false;
    bool is_dry_run = false;
    std::string site;
    std::string actor;
    std::string expires_in;
    std::string id;
    bool is_json = false;
    std::string since;
    std::string client;
    std::string gateway;
    std::string resource;
    std::size_t limit = 1000;
    command_line::SandboxFlags sandbox;
};

struct Commands {
    CLI::App* serve = nullptr;
    CLI::App* apply = nullptr;
    CLI::App* create_gateway = nullptr;
    CLI::App* create_client = nullptr;
    CLI::App* create_relay = nullptr;
    CLI::App* create_api = nullptr;
    CLI::App* list_tokens = nullptr;
    CLI::App* revoke_token = nullptr;
    CLI::App* list_devices = nullptr;
    CLI::App* revoke_device = nullptr;
    CLI::App* delete_device = nullptr;
    CLI::App* flows = nullptr;
    CLI::App* reset_password = nullptr;
    CLI::App* reset_user_password = nullptr;
};

void describe_token(CLI::App& app, RawOptions& raw, Commands& commands) {
    using portal::TokenType;
    auto* token = app.add_subcommand("token", "Create, list and revoke tokens");
    token->require_subcommand(1);
    auto* create = token->add_subcommand("create", "Print a new token; it is shown only this once");
    create->require_subcommand(1);

    const auto expiry = [&](CLI::App* command, TokenType type) {
        const auto days = std::chrono::duration_cast<std::chrono::days>(default_lifetime(type)).count();
        command
            ->add_option("--expires-in", raw.expires_in,
                         "Lifetime such as 45s, 10m, 12h or 30d, or never (default " + std::to_string(days) + "d)")
            ->option_text("DURATION");
    };
    commands.create_gateway = create->add_subcommand("gateway", "For the gateways of a site");
    commands.create_gateway->add_option("--site", raw.site, "Name of the site")->option_text("NAME")->required();
    commands.create_client = create->add_subcommand("client", "For the clients of an actor");
    commands.create_client->add_option("--actor", raw.actor, "Name of the actor")->option_text("NAME")->required();
    commands.create_relay = create->add_subcommand("relay", "For relays");
    commands.create_api = create->add_subcommand("api", "For programs that use the REST API");
    commands.create_api->add_option("--actor", raw.actor, "Name of the actor")->option_text("NAME")->required();
    expiry(commands.create_gateway, TokenType::kGateway);
    expiry(commands.create_client, TokenType::kClient);
    expiry(commands.create_relay, TokenType::kRelay);
    expiry(commands.create_api, TokenType::kApi);

    commands.list_tokens = token->add_subcommand("list", "Show all tokens, without their secrets");
    commands.list_tokens->add_flag("--json", raw.is_json, "As JSON");
    commands.revoke_token = token->add_subcommand("revoke", "Make a token worthless and cut off whoever uses it");
    commands.revoke_token->add_option("ID", raw.id, "The token's id, or the token itself")->required();
}

void describe_device(CLI::App& app, RawOptions& raw, Commands& commands) {
    auto* device = app.add_subcommand("device", "List, revoke and delete clients, gateways and relays");
    device->require_subcommand(1);
    commands.list_devices = device->add_subcommand("list", "Show all devices that ever connected");
    commands.list_devices->add_flag("--json", raw.is_json, "As JSON");
    commands.revoke_device = device->add_subcommand(
        "revoke", "Cut a device off and refuse it from now on, whatever token it holds, until it is deleted");
    commands.revoke_device->add_option("ID", raw.id, "The device's id")->required();
    commands.delete_device = device->add_subcommand(
        "delete", "Forget a device and cut it off; with a valid token it may come back as a new one");
    commands.delete_device->add_option("ID", raw.id, "The device's id")->required();
}

void describe_flows(CLI::App& app, RawOptions& raw, Commands& commands) {
    commands.flows =
        app.add_subcommand("flows", "Show who talked to what, as devices report it (see \"flow_logs\" in apply)");
    commands.flows->add_flag("--json", raw.is_json, "As JSON, one object in each line");
    commands.flows
        ->add_option("--since", raw.since, "Only flows that began so long ago or later, such as 10m, 12h or 30d")
        ->option_text("DURATION");
    commands.flows->add_option("--client", raw.client, "Only of this client, by name or id")->option_text("CLIENT");
    commands.flows->add_option("--gateway", raw.gateway, "Only through this gateway, by name or id")
        ->option_text("GATEWAY");
    commands.flows->add_option("--resource", raw.resource, "Only to this resource, by name or id")
        ->option_text("RESOURCE");
    commands.flows->add_option("--limit", raw.limit, "The newest ones, at most so many (default 1000)")
        ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000}))
        ->option_text("NUMBER");
}

Commands describe(CLI::App& app, RawOptions& raw) {
    Commands commands;
    app.add_option("--database", raw.database,
                   "sqlite:PATH (default " + std::string{kDefaultDatabase} + ") [CULVERT_DATABASE_URL]")
        ->envname("CULVERT_DATABASE_URL")
        ->option_text("URL");
    app.add_option("--log-format", raw.log_format,
                   "human or json (default human); RUST_LOG filters the lines [LOG_FORMAT]")
        ->envname("LOG_FORMAT")
        ->option_text("FORMAT");
    command_line::describe(app, raw.sandbox, sandbox::kPortalAccount);
    app.require_subcommand(1);

    commands.serve = app.add_subcommand("serve", "Run the portal");
    commands.serve
        ->add_option("--api-listen", raw.api_listen,
                     "Where devices connect, and /healthz answers (default 127.0.0.1:8081) [CULVERT_API_LISTEN]")
        ->envname("CULVERT_API_LISTEN")
        ->option_text("ADDR:PORT");
    commands.serve
        ->add_option("--ops-listen", raw.ops_listen,
                     "Where /healthz, /readyz and /metrics answer, for operators only; off: nowhere (default " +
                         std::string{kDefaultOpsListen} + ") [CULVERT_OPS_LISTEN]")
        ->envname("CULVERT_OPS_LISTEN")
        ->option_text("ADDR:PORT");
    commands.serve
        ->add_option("--trusted-proxies", raw.trusted_proxies,
                     "Addresses or networks of reverse proxies whose X-Forwarded-For is believed (default none) "
                     "[PHOENIX_EXTERNAL_TRUSTED_PROXIES]")
        ->envname("PHOENIX_EXTERNAL_TRUSTED_PROXIES")
        ->delimiter(',')
        ->option_text("IP[/PREFIX],...");
    commands.serve
        ->add_option("--max-devices", raw.limits.devices_per_owner,
                     "Devices of one actor or site; each takes an address in the tunnel (default 2000) "
                     "[CULVERT_MAX_DEVICES]")
        ->envname("CULVERT_MAX_DEVICES")
        ->check(CLI::Range(std::size_t{1}, std::size_t{2'000'000}))
        ->option_text("NUMBER");
    commands.serve
        ->add_option("--max-sessions", raw.limits.sessions_per_token,
                     "Connections with one token at a time (default 4000) [CULVERT_MAX_SESSIONS]")
        ->envname("CULVERT_MAX_SESSIONS")
        ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000}))
        ->option_text("NUMBER");
    commands.serve
        ->add_option("--max-logins", raw.limits.logins_per_second,
                     "Connections per second with one token from one address; more for a fleet that shares both "
                     "(default 1) [CULVERT_MAX_LOGINS]")
        ->envname("CULVERT_MAX_LOGINS")
        ->check(CLI::Range(std::uint32_t{1}, std::uint32_t{1'000'000}))
        ->option_text("NUMBER");
    commands.serve
        ->add_option("--forget-devices-after", raw.forget_devices_after,
                     "Delete devices that were not connected for so long; they come back with other addresses "
                     "(default 90d, at least 7d) [CULVERT_FORGET_DEVICES_AFTER]")
        ->envname("CULVERT_FORGET_DEVICES_AFTER")
        ->option_text("DURATION");
    commands.serve->add_option("--web-listen", raw.web_listen, "Not used: the pages are under /admin/ of --api-listen")
        ->option_text("ADDR:PORT");
    commands.serve
        ->add_option("--web-root", raw.web_root,
                     "Folder of the administrators' pages (default " + std::string{kDefaultWebRoot} +
                         ", if it is there) [CULVERT_WEB_ROOT]")
        ->envname("CULVERT_WEB_ROOT")
        ->option_text("FOLDER");
    auto* admin = app.add_subcommand("admin", "Help administrators to sign in");
    admin->require_subcommand(1);
    commands.reset_password = admin->add_subcommand(
        "reset-password", "Print a new password for an administrator and end what he is signed in to");
    commands.reset_password->add_option("--email", raw.email, "The administrator's e-mail address")
        ->option_text("ADDRESS")
        ->required();
    auto* user = app.add_subcommand("user", "Help people to sign in on their devices");
    user->require_subcommand(1);
    commands.reset_user_password =
        user->add_subcommand("reset-password", "Print a new password for somebody with an e-mail address");
    commands.reset_user_password->add_option("--email", raw.email, "The person's e-mail address")
        ->option_text("ADDRESS")
        ->required();
    commands.apply = app.add_subcommand("apply", "Make sites, actors, groups, resources and policies match a file");
    commands.apply->add_option("FILE", raw.file, "JSON file; - reads standard input")->required();
    commands.apply->add_flag("--dry-run", raw.is_dry_run, "Say what would happen, and change nothing");
    commands.apply->add_flag("--allow-delete", raw.may_cut_off,
                             "Delete sites and actors that the file leaves out even if tokens or devices go with them");
    describe_token(app, raw, commands);
    describe_device(app, raw, commands);
    describe_flows(app, raw, commands);

    app.footer(
        "A variable in brackets can take the place of its flag. TLS is for a reverse proxy in front of --api-listen.\n"
        "\n"
        "Example: culvert-portal apply acme.json && culvert-portal token create gateway --site hq\n"
        "         culvert-portal serve --api-listen 0.0.0.0:8081");
    return commands;
}

/// What is wrong and what to do about it, as one line.
using Mistake = std::string;

std::expected<ServeCommand, Mistake> check_serve(const RawOptions& raw) {
    if (!raw.web_listen.empty()) {
        return std::unexpected{"--web-listen is not used: the pages are under /admin/ of --api-listen. Leave it out."};
    }
    const auto parse_listen = [](const std::string& text, const std::string& option, const std::string& example) {
        const auto address = net::SocketAddress::parse(text);
        return address ? std::expected<net::SocketAddress, Mistake>{*address}
                       : std::unexpected{"\"" + text + "\" is no address with port. Give " + option +
                                         " something like 127.0.0.1:" + example + " or [::]:" + example + "."};
    };
    const auto api = parse_listen(raw.api_listen, "--api-listen (or CULVERT_API_LISTEN)", "8081");
    if (!api) {
        return std::unexpected{api.error()};
    }
    ServeCommand serve{.api_listen = *api, .ops_listen = {}, .trusted_proxies = {}, .limits = {}};
    if (raw.ops_listen != kOff) {
        const auto ops = parse_listen(raw.ops_listen, "--ops-listen (or CULVERT_OPS_LISTEN)", "8082");
        if (!ops) {
            return std::unexpected{ops.error()};
        }
        serve.ops_listen = *ops;
    }
    serve.limits = raw.limits;
    serve.web_root = raw.web_root;
    const auto forget_after = parse_duration(raw.forget_devices_after);
    if (!forget_after || *forget_after < portal::kMinForgetDevicesAfter) {
        return std::unexpected{"\"" + raw.forget_devices_after +
                               "\" is no duration of at least 7d. Give --forget-devices-after something like 90d."};
    }
    serve.limits.forget_devices_after = *forget_after;
    for (const auto& text : raw.trusted_proxies) {
        auto network = net::IpNetwork::parse(text);
        if (const auto single = net::IpAddress::parse(text)) {
            network = net::IpNetwork::host(*single);
        }
        if (!network) {
            return std::unexpected{
                "\"" + text + "\" is no address or network. Give --trusted-proxies something like 10.0.0.5,fd00::/64."};
        }
        serve.trusted_proxies.push_back(*network);
    }
    return serve;
}

std::expected<TokenCreateCommand, Mistake> check_create(portal::TokenType type, const std::string& owner,
                                                        const RawOptions& raw) {
    TokenCreateCommand create{type, owner, default_lifetime(type)};
    if (raw.expires_in == kNever) {
        create.expires_in.reset();
    } else if (!raw.expires_in.empty()) {
        create.expires_in = parse_duration(raw.expires_in);
        if (!create.expires_in) {
            return std::unexpected{"\"" + raw.expires_in +
                                   "\" is no duration. Give --expires-in something like 12h or 365d, or never."};
        }
    }
    return create;
}

std::expected<FlowsCommand, Mistake> check_flows(const RawOptions& raw) {
    FlowsCommand flows{.is_json = raw.is_json,
                       .since = {},
                       .client = raw.client,
                       .gateway = raw.gateway,
                       .resource = raw.resource,
                       .limit = raw.limit};
    if (!raw.since.empty()) {
        flows.since = parse_duration(raw.since);
        if (!flows.since) {
            return std::unexpected{"\"" + raw.since +
                                   "\" is no duration. Give --since something like 10m, 12h or 30d."};
        }
    }
    return flows;
}

std::expected<decltype(Options::command), Mistake> check_command(const RawOptions& raw, const Commands& commands) {
    using portal::TokenType;
    if (commands.serve->parsed()) {
        return check_serve(raw);
    }
    if (commands.apply->parsed()) {
        return ApplyCommand{
            .file = raw.file, .text = std::nullopt, .may_cut_off = raw.may_cut_off, .is_dry_run = raw.is_dry_run};
    }
    if (commands.create_gateway->parsed()) {
        return check_create(TokenType::kGateway, raw.site, raw);
    }
    if (commands.create_client->parsed()) {
        return check_create(TokenType::kClient, raw.actor, raw);
    }
    if (commands.create_relay->parsed()) {
        return check_create(TokenType::kRelay, "", raw);
    }
    if (commands.create_api->parsed()) {
        return check_create(TokenType::kApi, raw.actor, raw);
    }
    if (commands.list_tokens->parsed()) {
        return TokenListCommand{raw.is_json};
    }
    if (commands.revoke_token->parsed()) {
        return TokenRevokeCommand{raw.id};
    }
    if (commands.list_devices->parsed()) {
        return DeviceListCommand{raw.is_json};
    }
    if (commands.reset_password->parsed()) {
        return ResetPasswordCommand{raw.email};
    }
    if (commands.reset_user_password->parsed()) {
        return ResetPasswordCommand{.email = raw.email, .is_administrator = false};
    }
    if (commands.flows->parsed()) {
        return check_flows(raw);
    }
    if (commands.revoke_device->parsed()) {
        return DeviceRevokeCommand{raw.id};
    }
    return DeviceDeleteCommand{raw.id};
}

std::expected<Options, Mistake> check(const RawOptions& raw, const Commands& commands) {
    Options options;
    auto database = parse_database_url(raw.database);
    if (!database) {
        return std::unexpected{database.error()};
    }
    options.database = *std::move(database);
    options.sandbox = raw.sandbox;
    auto log = command_line::log_options(raw.log_format);
    if (!log) {
        return std::unexpected{log.error()};
    }
    options.log = *std::move(log);

    auto command = check_command(raw, commands);
    if (!command) {
        return std::unexpected{command.error()};
    }
    options.command = *std::move(command);
    return options;
}

/// What is wrong. A missing or unknown subcommand is the user's to choose from a list.
std::string explain(const CLI::ParseError& error, const CLI::App& app) {
    if (error.get_exit_code() != static_cast<int>(CLI::ExitCodes::RequiredError)) {
        return error.what();
    }
    const CLI::App* level = &app;
    while (!level->get_subcommands().empty()) {
        level = level->get_subcommands().front();
    }
    const auto choices = level->get_subcommands([](const CLI::App*) { return true; });
    if (choices.empty()) {
        return error.what();
    }
    const auto rest = app.remaining(true);
    if (!rest.empty() && rest.front().starts_with('-')) {
        return "unknown option \"" + rest.front() + "\"";
    }
    std::string text = rest.empty() ? "\"" + level->get_name() + "\" needs a subcommand"
                                    : "unknown subcommand \"" + rest.front() + "\"";
    text += ": one of";
    for (const auto* choice : choices) {
        text += (choice == choices.front() ? " " : ", ") + choice->get_name();
    }
    return text;
}

}  // namespace

std::expected<Options, command_line::EarlyExit> parse_options(int argc, const char* const* argv) {
    CLI::App app{"Control plane: tells clients, gateways and relays about each other, and who may reach what.",
                 "culvert-portal"};
    app.set_version_flag("--version", std::string{"culvert-portal "} + CULVERT_VERSION);
    RawOptions raw;
    const auto commands = describe(app, raw);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        if (e.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
            return std::unexpected{command_line::EarlyExit{app.exit(e)}};
        }
        return std::unexpected{
            command_line::EarlyExit{fail(explain(e, app) + ". Try culvert-portal --help.", command_line::kUsageError)}};
    }
    auto options = check(raw, commands);
    if (!options) {
        return std::unexpected{command_line::EarlyExit{fail(options.error(), command_line::kUsageError)}};
    }
    return *std::move(options);
}

std::chrono::seconds default_lifetime(portal::TokenType type) {
    // Clients are carried around and get lost; gateways and relays stand in racks, and an outage because nobody thought
    // of their token for a year hurts everybody behind them.
    switch (type) {
        case portal::TokenType::kClient:
            return std::chrono::days{180};
        case portal::TokenType::kGateway:
        case portal::TokenType::kRelay:
            return std::chrono::days{365};
        case portal::TokenType::kApi:
            break;
    }
    return std::chrono::days{90};
}

std::optional<std::chrono::seconds> parse_duration(std::string_view text) {
    constexpr std::int64_t kLongest = 100LL * 366 * 24 * 3600;
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const auto unit = text.substr(static_cast<std::size_t>(end - text.data()));
    const std::int64_t factor = unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : unit == "d" ? 86'400 : 0;
    if (error != std::errc{} || factor == 0 || number <= 0 || number > kLongest / factor) {
        return std::nullopt;
    }
    return std::chrono::seconds{number * factor};
}

std::expected<std::filesystem::path, std::string> parse_database_url(std::string_view url) {
    constexpr std::string_view kSqlite = "sqlite:";
    if (url.starts_with("postgresql:") || url.starts_with("postgres:")) {
        return std::unexpected{"PostgreSQL is not supported by this build yet. Use --database sqlite:PATH."};
    }
    if (!url.starts_with(kSqlite) || url.size() == kSqlite.size()) {
        return std::unexpected{"\"" + std::string{url} + "\" is no database URL. Give --database something like " +
                               std::string{kDefaultDatabase} + "."};
    }
    // sqlite:///var/lib/x is what people write who are used to URLs.
    auto path = url.substr(kSqlite.size());
    if (path.starts_with("///")) {
        path.remove_prefix(2);
    }
    return std::filesystem::path{path};
}

}  // namespace culvert::portal_server
