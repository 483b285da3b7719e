#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json.hpp>

#include "culvert/admin/authentication.h"
#include "culvert/admin/messages.h"
#include "culvert/admin/password.h"
#include "culvert/admin/problem.h"
#include "culvert/admin/surroundings.h"
#include "culvert/portal/storage.h"

namespace culvert::admin {

/// What all requests share.
struct Tools {
    portal::Storage& storage;
    Surroundings& surroundings;
    Authenticator& authentication;
    Rng& rng;
    PasswordCost password_cost;
};

/// Something that was done, for the log.
struct Deed {
    std::string action;
    std::string type;
    std::string id;
    std::string name;
    /// Empty objects: there was, or is, none.
    boost::json::object before = {};
    boost::json::object after = {};
};

/// A request on its way through its handler.
struct Call {
    Tools& tools;
    const ApiRequest& request;
    Requester subject;
    /// What stands where the route's pattern has a colon.
    std::vector<std::string> parameters;
    boost::json::value body;
    /// What older programs call the object, if this one is among them.
    std::string_view wrapper;
    Instant now;
    UnixSeconds wall_now;

    [[nodiscard]] portal::Storage& storage() const { return tools.storage; }
    [[nodiscard]] const portal::Directory& directory() const { return tools.surroundings.directory(); }

    /// The id at that place of the path. Throws ApiProblem for what is none.
    template <typename Id>
    [[nodiscard]] Id id(std::size_t place = 0) const {
        const auto parsed = Id::parse(parameters.at(place));
        if (!parsed) {
            throw not_found();
        }
        return *parsed;
    }
    /// The row with the id at that place of the path. Throws ApiProblem if there is none.
    template <typename Id, typename Row>
    [[nodiscard]] const Row& row(const std::map<Id, Row>& rows, std::size_t place = 0) const {
        const auto found = rows.find(id<Id>(place));
        if (found == rows.end()) {
            throw not_found();
        }
        return found->second;
    }
    /// The id in a query parameter; unset: there is no such parameter. Throws ApiProblem.
    template <typename Id>
    [[nodiscard]] std::optional<Id> filter(std::string_view name) const {
        const auto text = request.parameter(name);
        if (text.empty()) {
            return std::nullopt;
        }
        const auto parsed = Id::parse(text);
        if (!parsed) {
            throw bad_request("The parameter \"" + std::string{name} + "\" must be an id.");
        }
        return parsed;
    }

    [[nodiscard]] std::string_view wrapped_as(std::string_view usual) const {
        return wrapper.empty() ? usual : wrapper;
    }

    /// In the same transaction as what was done.
    void record(const Deed& deed) const;
    /// Tells devices and pages, after the transaction.
    void tell(std::string_view kind, std::string_view id) const { tools.surroundings.handle_change(kind, id); }

    /// Throws ApiProblem if the request is meant for another state of the object.
    void check_match(const boost::json::object& current) const;
};

/// What was done, by whom and from where.
void record(portal::Storage& storage, const Requester& subject, const net::IpAddress& from, UnixSeconds now,
            const Deed& deed);

/// Identifies what an object says, but for what changes by itself.
[[nodiscard]] std::string etag_of(const boost::json::object& object);

// Answers.
[[nodiscard]] http::Response respond(unsigned status, const boost::json::object& data);
[[nodiscard]] http::Response respond_created(const std::string& location, const boost::json::object& data);
[[nodiscard]] http::Response respond_nothing();

/// Which part of a list is asked for.
struct Page {
    std::size_t skip = 0;
    std::size_t limit = kDefaultLimit;
    std::string text;

    /// Throws ApiProblem.
    [[nodiscard]] static Page of(const ApiRequest& request);
    [[nodiscard]] portal::ListRange range() const { return {text, skip, limit}; }
    /// The answer: `rows` are those of the part, `count` how many there are.
    [[nodiscard]] http::Response respond(boost::json::array rows, std::size_t count) const;
};

/// The rows that `matches`, in the order of `key`, each as `encode` writes it.
template <typename Id, typename Row, typename Matches, typename Encode>
[[nodiscard]] http::Response respond_list(const Call& call, const std::map<Id, Row>& rows, const Matches& matches,
                                          const Encode& encode) {
    const auto page = Page::of(call.request);
    std::vector<std::pair<std::string, const Row*>> found;
    for (const auto& [id, row] : rows) {
        if (auto key = matches(row, std::string_view{page.text})) {
            found.emplace_back(*std::move(key), &row);
        }
    }
    std::ranges::stable_sort(found, {}, [](const auto& entry) -> const std::string& { return entry.first; });
    boost::json::array part;
    for (std::size_t i = page.skip; i < found.size() && part.size() < page.limit; ++i) {
        part.emplace_back(encode(*found[i].second));
    }
    return page.respond(std::move(part), found.size());
}

}  // namespace culvert::admin
