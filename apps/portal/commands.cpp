#include "apps/portal/commands.h"

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "apps/portal/error_output.h"
#include "culvert/base/printable.h"
#include "culvert/portal/configuration.h"

namespace culvert::portal_server {
namespace {

std::optional<std::string> read_file(const std::string& name) {
    std::ifstream file;
    if (name != "-") {
        std::error_code ignored;
        if (std::filesystem::is_directory(name, ignored)) {
            return std::nullopt;
        }
        file.open(name, std::ios::binary);
        if (!file) {
            return std::nullopt;
        }
    }
    std::istream& in = name == "-" ? std::cin : file;
    std::string text{std::istreambuf_iterator<char>{in}, {}};
    return in.bad() ? std::nullopt : std::optional{std::move(text)};
}

int report(const portal::ApplySummary& summary, const std::string& file) {
    using Outcome = portal::ApplySummary::Outcome;
    const bool is_refused = summary.outcome == Outcome::kNeedsPermission;
    auto& out = is_refused ? std::cerr : std::cout;
    for (const auto& line : summary.lines) {
        out << escape_unprintable(line) << '\n';
    }
    if (is_refused) {
        return fail(
            file +
            ": this deletes tokens or devices, which cannot connect any more then. Nothing was changed. If that "
            "is meant, add --allow-delete; if something got a new name, write \"renamed_from\" beside it.");
    }
    out << summary.created << " created, " << summary.changed << " changed, " << summary.deleted << " deleted, "
        << summary.unchanged << " left alone";
    if (summary.outcome == Outcome::kDryRun) {
        out << " if it were applied; nothing was changed" << (summary.cuts_off ? "; it needs --allow-delete" : "");
    }
    out << '\n';
    return finish_output();
}

}  // namespace

void load(ApplyCommand& command) {
    command.text = read_file(command.file);
}

std::expected<void, std::string> load(ServeCommand& command) {
    std::error_code ignored;
    const auto root = command.web_root.empty() ? std::filesystem::path{kDefaultWebRoot} : command.web_root;
    if (command.web_root.empty() && !std::filesystem::exists(root, ignored)) {
        return {};
    }
    auto files = WebFiles::read(root);
    if (!files) {
        return std::unexpected{files.error()};
    }
    command.web = std::make_shared<const WebFiles>(*std::move(files));
    return {};
}

int finish_output() {
    std::cout.flush();
    return std::cout ? 0 : fail("cannot write to standard output. What was asked for is done, but not all was shown.");
}

int run(const ApplyCommand& command, SqliteStorage& storage, Rng& rng) {
    const auto& text = command.text;
    const auto name = command.file == "-" ? "standard input" : command.file;
    if (!text) {
        return fail("cannot read \"" + name + "\". Check that it is a file and that this user may read it.");
    }
    const auto configuration = portal::Configuration::parse(*text);
    if (!configuration) {
        return fail(name + ": " + configuration.error() + ". Nothing was changed.");
    }
    try {
        const auto summary = portal::apply(*configuration, storage, rng, {command.is_dry_run, command.may_cut_off});
        return report(summary, name);
    } catch (const portal::ConfigurationError& error) {
        return fail(name + ": " + error.what() + ". Nothing was changed.");
    }
}

}  // namespace culvert::portal_server
