#include "culvert/admin/api.h"

#include "culvert/admin/api_fixture.h"

namespace culvert::admin {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

constexpr auto kPassword = "a very long password";

class ApiTest : public ApiFixture {
protected:
    void give_password(const portal::Actor& actor, const std::string& password = kPassword) {
        storage_.put_password(actor.id, hash_password(password, {.passes = 1, .memory = 8192}));
    }
    static ApiRequest sign_in(const std::string& email, const std::string& password) {
        return request(
            "POST", "/session",
            json::serialize(json::object{{"session", json::object{{"email", email}, {"password", password}}}}));
    }
    static std::string set_up_with(const std::string& code, const std::string& password = kPassword) {
        return json::serialize(json::object{{"setup", json::object{{"code", code},
                                                                   {"account_name", "Acme"},
                                                                   {"name", "Eva"},
                                                                   {"email", "eva@example.com"},
                                                                   {"password", password}}}});
    }
    static std::string secret_of(const http::Response& response) {
        const auto cookie = header_of(response, "Set-Cookie");
        return cookie.substr(cookie.find('=') + 1, cookie.find(';') - cookie.find('=') - 1);
    }
    std::string id_of(const http::Response& response) {
        return std::string{data_of(response).as_object().at("id").as_string()};
    }
    portal::AuditEntry last_deed() { return storage_.list_audit("", {}).rows.at(0); }
};

// --- The first run ---

class FirstRun : public ApiTest {};

TEST_F(FirstRun, IsOverOnceAnAdministratorCanSignIn) {
    EXPECT_TRUE(data_of(send(request("GET", "/setup"))).at("is_needed").as_bool());
    EXPECT_FALSE(surroundings_.setup_code.empty());
    give_password(admin_);
    EXPECT_FALSE(data_of(send(request("GET", "/setup"))).at("is_needed").as_bool());
    EXPECT_EQ(send(request("POST", "/setup", set_up_with(surroundings_.setup_code))).status, 409U);
}

TEST_F(FirstRun, MakesAnAdministratorWhoIsSignedIn) {
    api_->announce_setup();
    auto code = surroundings_.setup_code;
    std::ranges::transform(code, code.begin(),
                           [](char c) { return c == '-' ? ' ' : static_cast<char>(std::toupper(c)); });
    const auto response = send(request("POST", "/setup", set_up_with(code)));

    ASSERT_EQ(response.status, 201U) << response.body;
    EXPECT_EQ(data_of(response).at("actor").at("email").as_string(), "eva@example.com");
    EXPECT_EQ(surroundings_.directory().account.name, "Acme");
    EXPECT_EQ(send(with_session(request("GET", "/session"), secret_of(response))).status, 200U);
    EXPECT_EQ(send(sign_in("eva@example.com", kPassword)).status, 201U);
}

TEST_F(FirstRun, WantsTheCode) {
    api_->announce_setup();
    const auto refused = send(request("POST", "/setup", set_up_with("aaaa-bbbb-cccc-dddd")));
    EXPECT_EQ(refused.status, 422U);
    EXPECT_NE(error_of(refused, "code"), "");
    EXPECT_FALSE(storage_.can_administrator_sign_in());
}

TEST_F(FirstRun, TakesItsCodeOnce) {
    api_->announce_setup();
    const auto code = surroundings_.setup_code;
    auto first = api_->answer(request("POST", "/setup", set_up_with(code)), now_, wall_);
    auto second = api_->answer(request("POST", "/setup", set_up_with(code)), now_, wall_);
    auto& tasks = std::get<PasswordTask>(first);
    auto& late = std::get<PasswordTask>(second);
    EXPECT_EQ(Api::finish(tasks, tasks.work()).status, 201U);
    EXPECT_EQ(Api::finish(late, late.work()).status, 409U) << "both had shown the code before either was done";
    storage_.erase(*portal::ActorId::parse(last_deed().object_id));
    surroundings_.reload();
    EXPECT_EQ(send(request("POST", "/setup", set_up_with(code))).status, 422U);
    EXPECT_NE(surroundings_.setup_code, code);
}

TEST_F(FirstRun, LetsNobodyGuessTheCode) {
    for (unsigned i = 0; i < kSetupBurst; ++i) {
        EXPECT_EQ(send(request("POST", "/setup", set_up_with("x"))).status, 422U);
    }
    const auto refused = send(request("POST", "/setup", set_up_with("x")));
    EXPECT_EQ(refused.status, 429U);
    EXPECT_EQ(refused.retry_after, kSetupInterval);
}

TEST_F(FirstRun, TellsWhatIsWrongWithTheRest) {
    api_->announce_setup();
    const auto refused = send(request("POST", "/setup", set_up_with(surroundings_.setup_code, "short")));
    EXPECT_EQ(refused.status, 422U);
    EXPECT_EQ(error_of(refused, "password"), "must have 12 to 72 bytes");
}

// --- Signing in ---

class SignIn : public ApiTest {
protected:
    SignIn() { give_password(admin_); }
};

TEST_F(SignIn, GivesACookieThatScriptsCannotRead) {
    auto asked = sign_in("ANA@example.com", kPassword);
    const auto plain = header_of(send(asked), "Set-Cookie");
    EXPECT_TRUE(plain.ends_with("; Path=/; HttpOnly; SameSite=Lax; Max-Age=36000")) << plain;
    asked.is_https = true;
    EXPECT_TRUE(header_of(send(asked), "Set-Cookie").ends_with("; Max-Age=36000; Secure"));
}

TEST_F(SignIn, BeginsAnotherSessionEachTime) {
    const auto first = secret_of(send(sign_in("ana@example.com", kPassword)));
    auto again = with_session(sign_in("ana@example.com", kPassword), first);
    const auto second = secret_of(send(again));
    EXPECT_NE(first, second);
    EXPECT_EQ(send(with_session(request("GET", "/session"), first)).status, 401U) << "nobody can plant a session";
    EXPECT_EQ(send(with_session(request("GET", "/session"), second)).status, 200U);
}

TEST_F(SignIn, KeepsOnlyAHashOfTheSecret) {
    const auto secret = secret_of(send(sign_in("ana@example.com", kPassword)));
    EXPECT_FALSE(storage_.find_browser_session(secret));
    EXPECT_TRUE(storage_.find_browser_session(Authenticator::hash_of(secret)));
}

TEST_F(SignIn, SurvivesARestart) {
    const auto secret = secret_of(send(sign_in("ana@example.com", kPassword)));
    start();
    EXPECT_EQ(send(with_session(request("GET", "/session"), secret)).status, 200U);
}

TEST_F(SignIn, EndsAfterAWorkingDay) {
    const auto secret = secret_of(send(sign_in("ana@example.com", kPassword)));
    wall_ += kSessionLifetime - 1s;
    EXPECT_EQ(send(with_session(request("GET", "/session"), secret)).status, 200U);
    wall_ += 1s;
    EXPECT_EQ(send(with_session(request("GET", "/session"), secret)).status, 401U);
}

TEST_F(SignIn, TellsNobodyWhoExists) {
    const auto wrong = send(sign_in("ana@example.com", "not the password"));
    const auto unknown = send(sign_in("nobody@example.com", "not the password"));
    const auto without_password = send(sign_in("otto@example.com", "not the password"));
    EXPECT_EQ(wrong.status, 401U);
    EXPECT_EQ(code_of(wrong), "invalid_credentials");
    for (const auto& other : {unknown, without_password}) {
        EXPECT_EQ(other.status, wrong.status);
        EXPECT_EQ(other.body, wrong.body);
        EXPECT_EQ(other.headers, wrong.headers);
    }
}

TEST_F(SignIn, CostsAsMuchForThoseWhoDoNotExist) {
    auto answer = api_->answer(sign_in("nobody@example.com", "not the password"), now_, wall_);
    const auto* task = std::get_if<PasswordTask>(&answer);
    ASSERT_NE(task, nullptr);
    EXPECT_TRUE(task->work().hash.starts_with("$argon2id$")) << "something was hashed";
}

TEST_F(SignIn, IsThrottledForEachAddress) {
    for (unsigned i = 0; i < kSignInBurst; ++i) {
        EXPECT_EQ(send(sign_in(std::to_string(i) + "@example.com", "x")).status, 401U);
    }
    const auto refused = send(sign_in("ana@example.com", kPassword));
    EXPECT_EQ(refused.status, 429U);
    EXPECT_TRUE(refused.retry_after);
    auto elsewhere = sign_in("ana@example.com", kPassword);
    elsewhere.remote_ip = *net::IpAddress::parse("203.0.113.6");
    EXPECT_EQ(send(elsewhere).status, 201U);
    now_ += kSignInInterval;
    EXPECT_EQ(send(sign_in("ana@example.com", kPassword)).status, 201U);
}

TEST_F(SignIn, TakesANetworkOfIpv6ForOneAddress) {
    for (unsigned i = 0; i <= kSignInBurst; ++i) {
        auto asked = sign_in(std::to_string(i) + "@example.com", "x");
        asked.remote_ip = *net::IpAddress::parse("2001:db8:1:" + std::to_string(i) + "::1");
        EXPECT_EQ(send(asked).status, i < kSignInBurst ? 401U : 429U) << i;
    }
}

TEST_F(SignIn, IsThrottledForEachAccount) {
    for (unsigned i = 0; i <= kAccountBurst; ++i) {
        auto asked = sign_in(i % 2 == 0 ? "ana@example.com" : "Ana@Example.com", "x");
        asked.remote_ip = *net::IpAddress::parse("203.0.113." + std::to_string(i + 1));
        EXPECT_EQ(send(asked).status, i < kAccountBurst ? 401U : 429U) << i;
    }
}

TEST_F(SignIn, IsForAdministrators) {
    give_password(user_);
    const auto refused = send(sign_in("ute@example.com", kPassword));
    EXPECT_EQ(refused.status, 403U);
    EXPECT_EQ(header_of(refused, "Set-Cookie"), "");
}

TEST_F(SignIn, EndsWhenSomebodyIsNoAdministratorAnyMore) {
    const auto secret = secret_of(send(sign_in("ana@example.com", kPassword)));
    admin_.type = portal::ActorType::kUser;
    storage_.put(admin_);
    surroundings_.reload();
    EXPECT_EQ(send(with_session(request("GET", "/sites"), secret)).status, 401U);
}

TEST_F(SignIn, EndsWithASignOut) {
    const auto secret = secret_of(send(sign_in("ana@example.com", kPassword)));
    const auto left = send(with_session(request("DELETE", "/session"), secret));
    EXPECT_EQ(left.status, 204U);
    EXPECT_TRUE(header_of(left, "Set-Cookie").starts_with("culvert_session=;"));
    EXPECT_EQ(send(with_session(request("GET", "/session"), secret)).status, 401U);
}

TEST_F(SignIn, DoesNotComeFromAForm) {
    auto form = sign_in("ana@example.com", kPassword);
    form.content_type = "text/plain";
    EXPECT_EQ(send(form).status, 415U);
    form.content_type = "";
    EXPECT_EQ(send(form).status, 415U);
}

TEST_F(SignIn, EndsOthersWhenThePasswordChanges) {
    const auto kept = secret_of(send(sign_in("ana@example.com", kPassword)));
    const auto lost = secret_of(send(sign_in("ana@example.com", kPassword)));
    const auto change = [&](const std::string& current) {
        return send(with_session(request("PUT", "/session/password",
                                         R"({"password":{"current":")" + current + R"(","new":"another password"}})"),
                                 kept));
    };
    EXPECT_EQ(error_of(change("wrong"), "current"), "is wrong");
    EXPECT_EQ(send(with_session(request("GET", "/session"), lost)).status, 200U);
    EXPECT_EQ(change(kPassword).status, 204U);
    EXPECT_EQ(send(with_session(request("GET", "/session"), lost)).status, 401U);
    EXPECT_EQ(send(with_session(request("GET", "/session"), kept)).status, 200U);
    EXPECT_EQ(send(sign_in("ana@example.com", kPassword)).status, 401U);
    EXPECT_EQ(send(sign_in("ana@example.com", "another password")).status, 201U);
}

TEST_F(SignIn, DoesNotHelpToFindThePasswordOut) {
    const auto secret = secret_of(send(sign_in("ana@example.com", kPassword)));
    unsigned refused = 0;
    for (unsigned i = 0; i < kSignInBurst + 1; ++i) {
        refused += send(with_session(request("PUT", "/session/password",
                                             R"({"password":{"current":"guess","new":"another password"}})"),
                                     secret))
                               .status == 429U
                       ? 1
                       : 0;
    }
    EXPECT_GE(refused, 1U);
}

TEST_F(SignIn, IsWrittenDown) {
    (void)send(sign_in("ana@example.com", "wrong password"));
    EXPECT_EQ(last_deed().action, "refuse_sign_in");
    EXPECT_FALSE(last_deed().actor);
    (void)send(sign_in("ana@example.com", kPassword));
    EXPECT_EQ(last_deed().action, "sign_in");
    EXPECT_EQ(last_deed().actor, admin_.id);
    EXPECT_EQ(last_deed().remote_ip, "203.0.113.5");
}

// --- Programs ---

TEST_F(ApiTest, TokensCountAsLongAsTheyExist) {
    const auto token = token_of(program_, portal::TokenType::kApi, std::nullopt);
    EXPECT_EQ(send(with_token(request("GET", "/sites"), token)).status, 200U);
    storage_.erase(storage_.list_tokens_of(program_.id, std::nullopt, portal::TokenType::kApi).at(0).id);
    const auto refused = send(with_token(request("GET", "/sites"), token));
    EXPECT_EQ(refused.status, 401U);
    EXPECT_EQ(code_of(refused), "invalid_token");
    EXPECT_EQ(header_of(refused, "WWW-Authenticate"), "Bearer");
}

TEST_F(ApiTest, ProgramsMakeNobodyMightierThanThemselves) {
    const auto token = token_of(program_, portal::TokenType::kApi, std::nullopt);
    const auto send_it = [&](const std::string& method, const std::string& path, const std::string& body = "") {
        return send(with_token(request(method, path, body), token));
    };
    for (const auto* type : {"account_admin_user", "api_client"}) {
        const auto refused =
            send_it("POST", "/actors", R"({"actor":{"name":"x","type":")" + std::string{type} + R"("}})");
        EXPECT_EQ(refused.status, 422U);
        EXPECT_NE(error_of(refused, "type"), "");
    }
    const auto user = "/actors/" + user_.id.to_string();
    EXPECT_EQ(send_it("PATCH", user, R"({"actor":{"type":"account_admin_user"}})").status, 422U);
    for (const auto& mighty : {admin_.id.to_string(), program_.id.to_string()}) {
        EXPECT_EQ(send_it("PATCH", "/actors/" + mighty, R"({"actor":{"email":"me@example.com"}})").status, 403U);
        EXPECT_EQ(send_it("DELETE", "/actors/" + mighty).status, 403U);
    }
    EXPECT_EQ(send_it("POST", "/actors/" + program_.id.to_string() + "/tokens").status, 403U);
    EXPECT_EQ(send_it("GET", "/actors/" + program_.id.to_string() + "/tokens").status, 403U);
}

TEST_F(ApiTest, RequestsOfOneAreLimited) {
    const auto token = token_of(program_, portal::TokenType::kApi, std::nullopt);
    for (unsigned i = 0; i < kRequests.burst; ++i) {
        ASSERT_EQ(send(with_token(request("GET", "/account"), token)).status, 200U);
    }
    EXPECT_EQ(send(with_token(request("GET", "/account"), token)).status, 429U);
    EXPECT_EQ(ask("GET", "/account").status, 200U) << "others are not concerned";
}

// --- Requests ---

TEST_F(ApiTest, RefusesBodiesThatAreNotWhatTheySay) {
    EXPECT_EQ(ask("POST", "/sites", "{").status, 400U);
    EXPECT_EQ(ask("POST", "/sites", "[]").status, 400U);
    EXPECT_EQ(ask("POST", "/sites", "").status, 400U);
    EXPECT_EQ(ask("POST", "/sites", R"({"name":"x"})").status, 400U);
    EXPECT_EQ(ask("POST", "/sites", R"({"site":{"name":"x","name":"y"}})").status, 400U);
    EXPECT_EQ(ask("POST", "/sites", std::string(1000, '[')).status, 400U);
    EXPECT_EQ(ask("POST", "/sites", R"({"site":{"name":7}})").status, 422U);
    const auto missing = ask("POST", "/sites", R"({"site":{}})");
    EXPECT_EQ(missing.status, 422U);
    EXPECT_EQ(missing.content_type, "application/problem+json");
    EXPECT_EQ(code_of(missing), "validation_failed");
    EXPECT_EQ(error_of(missing, "name"), "can't be blank");
}

TEST_F(ApiTest, NamesWhatIsPossible) {
    const auto refused = ask("POST", "/sites/" + site_.id.to_string(), "{}");
    EXPECT_EQ(refused.status, 405U);
    EXPECT_EQ(header_of(refused, "Allow"), "GET, PATCH, PUT, DELETE");
}

TEST_F(ApiTest, PagesThroughLists) {
    for (const auto* name : {"b", "C", "a"}) {
        storage_.put(portal::Site{SiteId::random(rng_), name});
    }
    surroundings_.reload();
    const auto first = json::parse(ask("GET", "/sites?limit=3").body);
    EXPECT_EQ(first.at("metadata").at("count").to_number<int>(), 4);
    std::string names;
    for (const auto& site : first.at("data").as_array()) {
        names += std::string{site.at("name").as_string()} + " ";
    }
    EXPECT_EQ(names, "a b C ");
    const std::string next{first.at("metadata").at("next_page").as_string()};
    const auto second = json::parse(ask("GET", "/sites?limit=3&page_cursor=" + next).body);
    EXPECT_EQ(second.at("data").as_array().size(), 1U);
    EXPECT_TRUE(second.at("metadata").at("next_page").is_null());
    const std::string previous{second.at("metadata").at("prev_page").as_string()};
    EXPECT_EQ(json::parse(ask("GET", "/sites?limit=3&page_cursor=" + previous).body).at("data"), first.at("data"));
    EXPECT_EQ(json::parse(ask("GET", "/sites?q=HQ").body).at("data").as_array().size(), 1U);
}

TEST_F(ApiTest, RefusesPagesThatCannotBe) {
    for (const auto* query :
         {"limit=x", "limit=-1", "limit=99999999999999999999", "page_cursor=x", "page_cursor=ZnJvbSAtMQ"}) {
        EXPECT_EQ(ask("GET", "/sites?" + std::string{query}).status, 400U) << query;
    }
    EXPECT_EQ(json::parse(ask("GET", "/sites?limit=1000").body).at("metadata").at("limit").to_number<int>(), 100);
}

TEST_F(ApiTest, ChangesOnlyWhatWasSeen) {
    const auto path = "/sites/" + site_.id.to_string();
    const auto etag = header_of(ask("GET", path), "ETag");
    auto change = with_session(request("PATCH", path, R"({"site":{"name":"lab"}})"), session_);
    change.if_match = etag;
    EXPECT_EQ(send(change).status, 200U);
    EXPECT_EQ(send(change).status, 412U);
    EXPECT_EQ(code_of(send(change)), "precondition_failed");
    auto removal = with_session(request("DELETE", path), session_);
    removal.if_match = etag;
    EXPECT_EQ(send(removal).status, 412U);
    removal.if_match = "*";
    EXPECT_EQ(send(removal).status, 200U);
}

// --- Objects ---

TEST_F(ApiTest, CreatesShowsChangesAndDeletes) {
    const auto created = ask("POST", "/sites", R"({"site":{"name":" lab "}})");
    ASSERT_EQ(created.status, 201U) << created.body;
    const auto path = "/sites/" + id_of(created);
    EXPECT_EQ(header_of(created, "Location"), path);
    EXPECT_EQ(data_of(ask("GET", path)).at("name").as_string(), "lab");
    EXPECT_EQ(data_of(ask("PATCH", path, R"({"site":{"name":"LAB"}})")).at("name").as_string(), "LAB");
    EXPECT_EQ(data_of(ask("DELETE", path)).at("name").as_string(), "LAB");
    EXPECT_EQ(ask("GET", path).status, 404U);
    EXPECT_EQ(surroundings_.changes.size(), 3U);
    EXPECT_EQ(last_deed().action, "delete");
    EXPECT_EQ(last_deed().object_type, "site");
    EXPECT_NE(last_deed().before, "");
    EXPECT_EQ(last_deed().after, "");
}

TEST_F(ApiTest, ServesOlderNames) {
    const auto created = ask("POST", "/gateway_groups", R"({"gateway_group":{"name":"lab"}})");
    EXPECT_EQ(created.status, 201U) << created.body;
    EXPECT_EQ(ask("POST", "/gateway_groups", R"({"site":{"name":"lab2"}})").status, 400U);
    EXPECT_EQ(ask("GET", "/actor_groups/" + group_.id.to_string()).status, 200U);
}

TEST_F(ApiTest, KeepsNamesApart) {
    EXPECT_EQ(error_of(ask("POST", "/sites", R"({"site":{"name":"hq"}})"), "name"), "has already been taken");
    EXPECT_EQ(ask("PATCH", "/sites/" + site_.id.to_string(), R"({"site":{"name":"hq"}})").status, 200U);
    EXPECT_EQ(
        error_of(ask("POST", "/actors", R"({"actor":{"name":"x","type":"account_user","email":"ANA@example.com"}})"),
                 "email"),
        "has already been taken");
}

TEST_F(ApiTest, KeepsOneAdministrator) {
    EXPECT_EQ(ask("DELETE", "/actors/" + other_admin_.id.to_string()).status, 200U);
    const auto path = "/actors/" + admin_.id.to_string();
    EXPECT_EQ(ask("DELETE", path).status, 409U);
    EXPECT_EQ(ask("PATCH", path, R"({"actor":{"type":"account_user"}})").status, 409U);
    EXPECT_EQ(ask("PATCH", path, R"({"actor":{"name":"Anna"}})").status, 200U);
}

TEST_F(ApiTest, SignsOutWhoIsDisabled) {
    const auto ana = "/actors/" + admin_.id.to_string();
    const auto otto = "/actors/" + other_admin_.id.to_string();
    const auto session = session_of(other_admin_.id, wall_ + std::chrono::hours{1});
    const std::string disable = R"({"actor":{"is_disabled":true}})";

    const auto disabled = ask("PATCH", otto, disable);
    EXPECT_EQ(disabled.status, 200U);
    EXPECT_TRUE(data_of(disabled).as_object().at("is_disabled").as_bool());
    EXPECT_EQ(send(with_session(request("GET", "/session"), session)).status, 401U);
    EXPECT_EQ(ask("POST", otto + "/tokens").status, 409U);
    EXPECT_EQ(ask("PATCH", ana, disable).status, 409U) << "nobody would be left";

    const auto why = "/access?actor_id=" + other_admin_.id.to_string() + "&resource_id=" + resource_.id.to_string();
    const auto explained = data_of(ask("GET", why)).as_object();
    EXPECT_EQ(explained.at("reasons").as_array().at(0).as_object().at("kind").as_string(), "actor_disabled");

    const auto late = session_of(other_admin_.id, wall_ + std::chrono::hours{1});
    EXPECT_EQ(send(with_session(request("GET", "/session"), late)).status, 401U) << "whatever is in the database";
    const auto token = token_of(program_, portal::TokenType::kApi, std::nullopt);
    EXPECT_EQ(send(with_token(request("GET", "/sites"), token)).status, 200U);
    EXPECT_EQ(ask("PATCH", "/actors/" + program_.id.to_string(), disable).status, 200U);
    EXPECT_EQ(send(with_token(request("GET", "/sites"), token)).status, 401U);
    const auto other = token_of(program_, portal::TokenType::kApi, std::nullopt);
    EXPECT_EQ(send(with_token(request("GET", "/sites"), other)).status, 401U);

    EXPECT_EQ(ask("PATCH", otto, R"({"actor":{"is_disabled":false}})").status, 200U);
    EXPECT_EQ(ask("POST", otto + "/tokens").status, 201U);
    EXPECT_EQ(ask("PATCH", otto, R"({"actor":{"is_disabled":"yes"}})").status, 422U);
}

TEST_F(ApiTest, SetsHowLongDevicesStaySignedIn) {
    EXPECT_EQ(data_of(ask("GET", "/account")).as_object().at("client_session_lifetime_secs").to_number<int>(), 604'800);
    EXPECT_EQ(ask("PATCH", "/account", R"({"account":{"client_session_lifetime_secs":3600}})").status, 200U);
    EXPECT_EQ(storage_.load_directory().account.client_session_lifetime, std::chrono::hours{1});
    for (const auto* wrong : {"3599", "7776001", "null", "\"7d\""}) {
        const auto body = std::string{R"({"account":{"client_session_lifetime_secs":)"} + wrong + "}}";
        const auto status = ask("PATCH", "/account", body).status;
        EXPECT_EQ(status, std::string{wrong} == "null" ? 200U : 422U) << wrong;
    }
    EXPECT_EQ(storage_.load_directory().account.client_session_lifetime, std::chrono::hours{1});
}

TEST_F(ApiTest, ChecksResourcesAsFilesAreChecked) {
    const auto create = [&](const std::string& fields) {
        return ask("POST", "/resources",
                   R"({"resource":{"name":"x","site_ids":[")" + site_.id.to_string() + R"("],)" + fields + "}}");
    };
    EXPECT_NE(error_of(create(R"("type":"cidr","address":"0.0.0.0/0")"), "address"), "");
    EXPECT_NE(error_of(create(R"("type":"dns","address":"*.com")"), "address"), "");
    EXPECT_NE(error_of(create(R"("type":"ip","address":"100.64.0.1")"), "address"), "");
    EXPECT_NE(error_of(create(R"("type":"cidr","address":"10.0.0.0/8","ip_stack":"dual")"), "ip_stack"), "");
    EXPECT_NE(error_of(create(R"("type":"ip","address":"10.0.0.1","filters":[{"protocol":"tcp","ports":["2 - 1"]}])"),
                       "filters"),
              "");
    EXPECT_NE(error_of(create(R"("type":"teapot","address":"10.0.0.1")"), "type"), "");
    EXPECT_EQ(error_of(create(R"("type":"ip")"), "address"), "can't be blank");
    const auto without_site =
        ask("POST", "/resources", R"({"resource":{"name":"x","type":"ip","address":"10.0.0.1"}})");
    EXPECT_EQ(error_of(without_site, "site_ids"), "can't be blank");
    const auto foreign = ask("POST", "/resources",
                             R"({"resource":{"name":"x","type":"ip","address":"10.0.0.1","site_ids":[")" +
                                 Uuid::random(rng_).to_string() + R"("]}})");
    EXPECT_NE(error_of(foreign, "site_ids"), "");
    const auto created =
        create(R"("type":"cidr","address":"10.1.2.3/16","filters":[{"protocol":"tcp","ports":["80","8000-8100"]}])");
    ASSERT_EQ(created.status, 201U) << created.body;
    EXPECT_EQ(data_of(created).at("address").as_string(), "10.1.0.0/16");
    EXPECT_EQ(json::serialize(data_of(created).at("filters")), R"([{"protocol":"tcp","ports":["80","8000 - 8100"]}])");
}

TEST_F(ApiTest, LeavesFiltersAsTheyAre) {
    const auto path = "/resources/" + resource_.id.to_string();
    EXPECT_EQ(ask("PATCH", path, R"({"resource":{"name":"net"}})").status, 200U);
    EXPECT_EQ(surroundings_.directory().resources.at(resource_.id).filters, resource_.filters);
    EXPECT_EQ(ask("PATCH", path, R"({"resource":{"filters":[]}})").status, 200U);
    EXPECT_TRUE(surroundings_.directory().resources.at(resource_.id).filters.empty());
}

TEST_F(ApiTest, WantsAnotherAddressForAnotherType) {
    const auto path = "/resources/" + resource_.id.to_string();
    EXPECT_EQ(error_of(ask("PATCH", path, R"({"resource":{"type":"dns"}})"), "address"), "can't be blank");
    const auto changed = ask("PATCH", path, R"({"resource":{"type":"dns","address":"wiki.example.org"}})");
    ASSERT_EQ(changed.status, 200U) << changed.body;
    EXPECT_EQ(data_of(changed).at("ip_stack").as_string(), "dual");
}

TEST_F(ApiTest, TakesConnectionsForSites) {
    const auto created =
        ask("POST", "/resources",
            R"({"resource":{"name":"x","type":"ip","address":"10.0.0.1","connections":[{"gateway_group_id":")" +
                site_.id.to_string() + R"("}]}})");
    EXPECT_EQ(created.status, 201U) << created.body;
}

TEST_F(ApiTest, ChangesPolicies) {
    const auto path = "/policies/" + policy_.id.to_string();
    const auto changed = ask("PATCH", path, R"({"policy":{"description":"why","is_disabled":true}})");
    ASSERT_EQ(changed.status, 200U) << changed.body;
    EXPECT_EQ(surroundings_.directory().policies.at(policy_.id).description, "why");
    EXPECT_TRUE(surroundings_.directory().policies.at(policy_.id).is_disabled);
    const auto conditions = ask("PATCH", path, R"({"policy":{"conditions":[{"property":"remote_ip"}]}})");
    EXPECT_EQ(error_of(conditions, "conditions"), R"([0]: "operator" is missing)") << "fails closed";
    const auto* const verified = R"([{"property":"client_verified","operator":"is","values":["true"]}])";
    const auto set =
        ask("PATCH", path, R"({"policy":{"is_disabled":false,"conditions":)" + std::string{verified} + "}}");
    ASSERT_EQ(set.status, 200U) << set.body;
    EXPECT_EQ(data_of(set).at("conditions"), json::parse(verified));
    EXPECT_EQ(data_of(ask("GET", path)).at("conditions"), json::parse(verified));
    ASSERT_EQ(ask("PATCH", path, R"({"policy":{"description":"why not"}})").status, 200U);
    EXPECT_EQ(surroundings_.directory().policies.at(policy_.id).conditions.size(), 1U) << "what was not sent stays";
    ASSERT_EQ(ask("PATCH", path, R"({"policy":{"conditions":[]}})").status, 200U);
    EXPECT_TRUE(surroundings_.directory().policies.at(policy_.id).conditions.empty());
    EXPECT_NE(error_of(ask("PATCH", path, R"({"policy":{"group_id":"x"}})"), "group_id"), "");
}

TEST_F(ApiTest, ChangesMemberships) {
    const auto path = "/groups/" + group_.id.to_string() + "/memberships";
    const auto members = [&] {
        std::string names;
        const auto listed = json::parse(ask("GET", path).body);
        for (const auto& actor : listed.at("data").as_array()) {
            names += std::string{actor.at("name").as_string()} + " ";
        }
        return names;
    };
    EXPECT_EQ(members(), "Ute ");
    EXPECT_EQ(ask("PATCH", path,
                  R"({"memberships":{"add":[")" + admin_.id.to_string() + R"("],"remove":[")" + user_.id.to_string() +
                      R"("]}})")
                  .status,
              200U);
    EXPECT_EQ(members(), "Ana ");
    EXPECT_EQ(ask("PUT", path, R"({"memberships":[]})").status, 200U);
    EXPECT_EQ(members(), "");
    EXPECT_EQ(ask("PUT", path, R"({"memberships":[{"actor_id":"x"}]})").status, 422U);
    EXPECT_EQ(ask("PUT", path, R"({"memberships":7})").status, 422U);
}

TEST_F(ApiTest, ChangesTheAccount) {
    const auto changed =
        ask("PATCH", "/account", R"({"account":{"search_domain":"corp.example","upstream_dns":["9.9.9.9"]}})");
    ASSERT_EQ(changed.status, 200U) << changed.body;
    EXPECT_EQ(surroundings_.directory().account.search_domain, "corp.example");
    EXPECT_EQ(ask("PATCH", "/account", R"({"account":{"search_domain":null}})").status, 200U);
    EXPECT_FALSE(surroundings_.directory().account.search_domain);
    EXPECT_NE(
        error_of(ask("PATCH", "/account", R"({"account":{"upstream_doh":["https://dns.example/q"]}})"), "upstream_doh"),
        "");
    EXPECT_NE(error_of(ask("PATCH", "/account", R"({"account":{"upstream_dns":["100.64.0.1"]}})"), "upstream_dns"), "");
}

TEST_F(ApiTest, ShowsTokensOnce) {
    const auto path = "/sites/" + site_.id.to_string() + "/tokens";
    const auto created = ask("POST", path, R"({"token":{"name":"rack 1"}})");
    ASSERT_EQ(created.status, 201U) << created.body;
    const std::string token{data_of(created).at("token").as_string()};
    EXPECT_TRUE(portal::verify_token(token, portal::TokenType::kGateway, storage_.token_keys()));
    const auto listed = ask("GET", path).body;
    EXPECT_EQ(listed.find(token), std::string::npos);
    EXPECT_NE(listed.find("rack 1"), std::string::npos);
    EXPECT_EQ(last_deed().after.find(token), std::string::npos) << "nor is it written down";
    EXPECT_EQ(error_of(ask("POST", path, R"({"token":{"expires_at":"2020-01-01T00:00:00Z"}})"), "expires_at"),
              "must be in the future");
    EXPECT_EQ(ask("DELETE", path + "/" + id_of(created)).status, 200U);
    EXPECT_EQ(json::parse(ask("GET", path).body).at("data").as_array().size(), 0U);
}

TEST_F(ApiTest, WritesNoPasswordsDown) {
    const auto path = "/actors/" + user_.id.to_string() + "/password";
    EXPECT_EQ(ask("PUT", path, R"({"password":{"new":"hunter2 hunter2"}})").status, 204U);
    EXPECT_EQ(last_deed().action, "set_password");
    EXPECT_EQ(last_deed().before + last_deed().after, "");
    EXPECT_EQ(
        ask("PUT", "/actors/" + program_.id.to_string() + "/password", R"({"password":{"new":"hunter2 hunter2"}})")
            .status,
        409U);
}

TEST_F(ApiTest, ExplainsAccess) {
    const auto explain = [&] {
        return data_of(
            ask("GET", "/access?actor_id=" + user_.id.to_string() + "&resource_id=" + resource_.id.to_string()));
    };
    const auto has = [](const json::value& data, std::string_view kind) {
        return std::ranges::any_of(data.at("reasons").as_array(), [&](const auto& reason) {
            return std::string_view{reason.at("kind").as_string()} == kind;
        });
    };
    EXPECT_FALSE(explain().at("may").as_bool());
    EXPECT_TRUE(has(explain(), "granted"));
    EXPECT_TRUE(has(explain(), "no_gateway_online"));
    const auto gateway = storage_.register_gateway({.site = site_.id,
                                                    .external_id = "g",
                                                    .name = "gw",
                                                    .public_key = {rng_.array<32>()},
                                                    .last_seen = {"x", "1", *net::IpAddress::parse("1.2.3.4"), wall_}},
                                                   rng_);
    surroundings_.online.insert(gateway->id.uuid());
    EXPECT_TRUE(explain().at("may").as_bool());
    policy_.conditions = {portal::ClientVerifiedCondition{}};
    storage_.put(policy_);
    surroundings_.reload();
    EXPECT_FALSE(explain().at("may").as_bool());
    EXPECT_TRUE(has(explain(), "conditions")) << "there is no device yet";
    const auto client = storage_.register_client({.actor = user_.id,
                                                  .external_id = "c",
                                                  .name = "laptop",
                                                  .public_key = {rng_.array<32>()},
                                                  .last_seen = {"x", "1", *net::IpAddress::parse("1.2.3.4"), wall_}},
                                                 rng_);
    const auto unmet = explain();
    EXPECT_FALSE(unmet.at("may").as_bool());
    EXPECT_NE(json::serialize(unmet).find("laptop: client_verified"), std::string::npos) << unmet;
    const auto client_path = "/clients/" + client->id.to_string();
    EXPECT_EQ(ask("PUT", client_path + "/verify").status, 200U);
    EXPECT_EQ(last_deed().action, "verify");
    EXPECT_FALSE(data_of(ask("GET", client_path)).at("verified_at").is_null());
    EXPECT_TRUE(explain().at("may").as_bool());
    EXPECT_EQ(ask("PUT", client_path + "/unverify").status, 200U);
    EXPECT_TRUE(data_of(ask("GET", client_path)).at("verified_at").is_null());
    EXPECT_FALSE(explain().at("may").as_bool());
    policy_.is_disabled = true;
    storage_.put(policy_);
    surroundings_.reload();
    EXPECT_FALSE(explain().at("may").as_bool());
    EXPECT_TRUE(has(explain(), "policy_disabled"));
    storage_.erase(group_.id);
    surroundings_.reload();
    EXPECT_TRUE(has(explain(), "no_policy"));
    EXPECT_EQ(ask("GET", "/access").status, 400U);
    EXPECT_EQ(ask("GET", "/access?actor_id=" + user_.id.to_string() + "&resource_id=" + user_.id.to_string()).status,
              404U);
}

TEST_F(ApiTest, RefusesFiltersThatAreNoIds) {
    EXPECT_EQ(ask("GET", "/flows?client_id=x").status, 400U);
    EXPECT_EQ(ask("GET", "/clients?actor_id=x").status, 400U);
}

}  // namespace
}  // namespace culvert::admin
