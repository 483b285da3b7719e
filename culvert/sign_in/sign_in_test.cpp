#include "culvert/sign_in/sign_in.h"

#include <optional>
#include <string>

#include "culvert/admin/api_fixture.h"
#include "culvert/sign_in/form_fields.h"

namespace culvert::sign_in {
namespace {

constexpr const char* kPassword = "a very long password";
constexpr const char* kState = "5a5a";
constexpr const char* kNonce = "0f0f0f0f";

/// A browser that an app has opened, and the portal.
class SignInPages : public admin::ApiFixture {
protected:
    SignInPages() {
        storage_.put_password(user_.id, admin::hash_password(kPassword, {.passes = 1, .memory = 8192}));
        door_.emplace(storage_, surroundings_, api_->authentication(), rng_.fork(),
                      admin::PasswordCost{.passes = 1, .memory = 8192});
    }

    /// What the browser is answered; it keeps cookies.
    http::Response send(admin::ApiRequest request) {
        request.cookie = form_cookie_ + "; " + handover_cookie_;
        auto answer = door_->answer(request, now_, wall_);
        EXPECT_TRUE(answer) << request.path;
        auto response = std::holds_alternative<admin::PasswordTask>(*answer)
                            ? finish(std::get<admin::PasswordTask>(*answer))
                            : std::get<http::Response>(*answer);
        keep_cookie(response);
        return response;
    }
    http::Response get(const std::string& target) {
        auto made = request("GET", target);
        made.content_type = "";
        return send(made);
    }
    /// The form as the browser sends it, with what somebody enters.
    admin::ApiRequest filled(const http::Response& page, const std::string& email, const std::string& password) {
        auto made = request("POST", "/default/sign_in");
        made.content_type = "application/x-www-form-urlencoded";
        made.fetch_site = "same-origin";
        for (const auto* name : {"as", "state", "nonce", "seal"}) {
            made.body += std::string{name} + "=" + percent_encode(hidden_in(page, name)) + "&";
        }
        made.body += "email=" + percent_encode(email) + "&password=" + percent_encode(password);
        return made;
    }
    http::Response sign_in(const std::string& email = "ute@example.com", const std::string& password = kPassword) {
        return send(filled(get(opened_), email, password));
    }

    static std::string hidden_in(const http::Response& page, const std::string& name) {
        const auto start = "name=\"" + name + "\" value=\"";
        const auto at = page.body.find(start);
        return at == std::string::npos
                   ? ""
                   : page.body.substr(at + start.size(), page.body.find('"', at + start.size()) - at - start.size());
    }
    /// Of the deep link.
    static std::string parameter(const std::string& uri, const std::string& name) {
        const auto form = FormFields::parse(uri.substr(uri.find('?') + 1));
        return std::string{form->get(name)};
    }
    std::size_t tokens() { return storage_.list_tokens_of(user_.id, std::nullopt, portal::TokenType::kClient).size(); }
    portal::AuditEntry newest() { return storage_.list_audit("", {}).rows.at(0); }

    /// Whether a device gets in with it.
    bool opens(const std::string& token) {
        const auto claims = portal::verify_token(token, portal::TokenType::kClient, storage_.token_keys());
        const auto row = claims ? storage_.find_token(claims->token) : std::nullopt;
        return row && portal::secret_matches(*claims, *row) && row->actor == user_.id;
    }

    std::optional<SignIn> door_;
    std::string opened_ = std::string{"/default?as=client&state="} + kState + "&nonce=" + kNonce;
    std::string form_cookie_;
    std::string handover_cookie_;

private:
    static http::Response finish(const admin::PasswordTask& task) { return task.finish(task.work()); }
    void keep_cookie(const http::Response& response) {
        const auto set = header_of(response, "Set-Cookie");
        const auto pair = set.substr(0, set.find(';'));
        (pair.starts_with("culvert_signed_in") ? handover_cookie_ : form_cookie_) =
            set.empty() ? (pair.starts_with("culvert_signed_in") ? handover_cookie_ : form_cookie_) : pair;
    }
};

TEST_F(SignInPages, LeadAnAppToATokenOfItsNonceAndTheFragment) {
    const auto done = sign_in();
    ASSERT_EQ(done.status, 303U) << done.body;
    EXPECT_EQ(header_of(done, "Location"), "/default/sign_in/done");

    const auto page = get("/default/sign_in/done");
    EXPECT_EQ(page.status, 200U);
    EXPECT_NE(page.body.find("content=\"0; url=/default/sign_in/client_redirect\""), std::string::npos);
    EXPECT_EQ(page.body.find("SFMyNTY"), std::string::npos) << "the fragment is in no page";

    const auto hop = get("/default/sign_in/client_redirect");
    EXPECT_EQ(hop.status, 302U);
    const auto uri = header_of(hop, "Location");
    EXPECT_TRUE(uri.starts_with("firezone-fd0020211111://handle_client_sign_in_callback?")) << uri;
    EXPECT_EQ(parameter(uri, "state"), kState);
    EXPECT_EQ(parameter(uri, "actor_name"), "Ute");
    EXPECT_EQ(parameter(uri, "account_slug"), "default");
    EXPECT_EQ(parameter(uri, "identity_provider_identifier"), "ute@example.com");
    const auto fragment = parameter(uri, "fragment");
    EXPECT_TRUE(fragment.starts_with("."));
    EXPECT_TRUE(opens(kNonce + fragment));
    EXPECT_FALSE(opens(fragment)) << "alone it is worthless";
    EXPECT_FALSE(opens("0f0f0f0e" + fragment));
}

TEST_F(SignInPages, ShowAProgramWithoutAScreenItsToken) {
    opened_ = "/default?as=headless-client";
    ASSERT_EQ(sign_in().status, 303U);

    const auto page = get("/default/sign_in/done");
    const auto start = page.body.find("false\">.") + 7;
    const auto token = page.body.substr(start, page.body.find('<', start) - start);
    EXPECT_TRUE(opens(token)) << page.body;
    EXPECT_EQ(get("/default/sign_in/client_redirect").status, 200U) << "no app is opened";
}

TEST_F(SignInPages, MakeTokensThatExpireAndAreListed) {
    ASSERT_EQ(sign_in().status, 303U);

    const auto listed = storage_.list_tokens_of(user_.id, std::nullopt, portal::TokenType::kClient);
    ASSERT_EQ(listed.size(), 1U);
    EXPECT_EQ(listed[0].expires_at, wall_ + std::chrono::days{7});
    EXPECT_EQ(listed[0].name, "Signed in by browser");
    EXPECT_EQ(surroundings_.changes.at(0).first, "tokens");
    EXPECT_EQ(newest().action, "sign_in");
    EXPECT_EQ(newest().actor, user_.id);
    EXPECT_EQ(newest().remote_ip, "203.0.113.5");
}

TEST_F(SignInPages, KeepWhatTheAppSentOnTheWayFromTheRoot) {
    const auto hop = get(std::string{"/?as=gui-client&nonce="} + kNonce + "&state=" + kState);

    EXPECT_EQ(hop.status, 302U);
    EXPECT_EQ(header_of(hop, "Location"), std::string{"/default?as=gui-client&state="} + kState + "&nonce=" + kNonce);
    EXPECT_EQ(get("/?as=gui-client").status, 400U);
}

TEST_F(SignInPages, AreFoundByTheAccountsIdToo) {
    const auto id = surroundings_.directory().account.id.to_string();

    EXPECT_EQ(get("/" + id + "?as=headless-client").status, 200U);
    EXPECT_EQ(get("/DEFAULT?as=headless-client").status, 200U);
    EXPECT_EQ(get("/acme?as=headless-client").status, 404U);
    EXPECT_FALSE(door_->answer(request("GET", "/acme"), now_, wall_)) << "somebody else's";
    EXPECT_FALSE(door_->answer(request("GET", "/"), now_, wall_));
}

TEST_F(SignInPages, AreFoundByTheIdAloneIfTheSlugLeadsElsewhere) {
    for (const std::string slug : {"sites", "admin", "healthz"}) {
        auto account = surroundings_.directory().account;
        account.slug = slug;
        storage_.put(account);
        surroundings_.reload();
        const auto home = "/" + account.id.to_string();

        EXPECT_FALSE(door_->answer(request("GET", "/" + slug), now_, wall_));
        EXPECT_EQ(header_of(get("/?as=headless-client"), "Location"), home + "?as=headless-client");
        EXPECT_NE(get(home + "?as=headless-client").body.find("action=\"" + home + "/sign_in\""), std::string::npos);
    }
}

TEST_F(SignInPages, SayTheSameToAllWhoAreRefused) {
    storage_.put_password(program_.id, *storage_.find_password(user_.id));
    auto robot = program_;
    robot.email = "robot@example.com";
    storage_.put(robot);
    surroundings_.reload();

    const auto wrong = sign_in("ute@example.com", "another long password");
    EXPECT_EQ(wrong.status, 422U);
    EXPECT_NE(wrong.body.find("E-mail address or password are wrong."), std::string::npos);
    EXPECT_EQ(newest().after, R"({"as":"client","reason":"wrong_password"})");
    EXPECT_EQ(newest().object_id, user_.id.to_string());

    const auto without_emails = [](std::string body) {
        const auto seal = body.find("name=\"seal\"");
        const auto email = body.find("required value=\"");
        body.erase(email, body.find('>', email) - email);
        return body.erase(seal, body.find('>', seal) - seal);
    };
    const auto expected = without_emails(wrong.body);
    EXPECT_EQ(without_emails(sign_in("nobody@example.com").body), expected);
    EXPECT_EQ(newest().after, R"({"as":"client","reason":"unknown_address"})");
    EXPECT_EQ(newest().object_name, "") << "what was typed may be a password";
    EXPECT_EQ(without_emails(sign_in("ana@example.com").body), expected);
    EXPECT_EQ(newest().after, R"({"as":"client","reason":"no_password"})");
    EXPECT_EQ(without_emails(sign_in("robot@example.com").body), expected);
    EXPECT_EQ(newest().after, R"({"as":"client","reason":"no_person"})");
    EXPECT_EQ(tokens(), 0U);
}

TEST_F(SignInPages, LimitAttemptsTogetherWithTheAdministratorsDoor) {
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(sign_in("ute@example.com", "wrong password").status, 422U);
        (void)ApiFixture::send(
            request("POST", "/session", R"({"session":{"email":"ute@example.com","password":"wrong password"}})"));
    }
    const auto refused = sign_in();
    EXPECT_EQ(refused.status, 429U);
    EXPECT_TRUE(refused.retry_after);
    EXPECT_EQ(tokens(), 0U);

    now_ += std::chrono::minutes{1};
    EXPECT_EQ(sign_in().status, 303U);
}

TEST_F(SignInPages, TakeFormsOnlyFromTheBrowserThatOpenedThem) {
    const auto sent = filled(get(opened_), "ute@example.com", kPassword);

    const auto cookie = std::exchange(form_cookie_, "");
    const auto refused = send(sent);
    EXPECT_EQ(refused.status, 403U);
    EXPECT_EQ(tokens(), 0U);

    form_cookie_ = cookie;
    auto foreign = sent;
    foreign.fetch_site = "cross-site";
    EXPECT_EQ(send(foreign).status, 403U);
    foreign.fetch_site = "same-site";
    EXPECT_EQ(send(foreign).status, 403U);
    auto json = sent;
    json.content_type = "application/json";
    EXPECT_EQ(send(json).status, 403U);
    EXPECT_EQ(tokens(), 0U);
    EXPECT_EQ(send(sent).status, 303U);
}

TEST_F(SignInPages, TakeEachFormOnce) {
    const auto sent = filled(get(opened_), "ute@example.com", kPassword);
    const auto other = filled(get(opened_), "ute@example.com", kPassword);
    ASSERT_EQ(send(sent).status, 303U);

    EXPECT_EQ(send(sent).status, 409U);
    EXPECT_EQ(send(other).status, 409U) << "of the same nonce";
    EXPECT_EQ(get(opened_).status, 409U);
    EXPECT_EQ(tokens(), 1U);
}

TEST_F(SignInPages, TakeTheFormOfAProgramOnce) {
    opened_ = "/default?as=headless-client";
    const auto sent = filled(get(opened_), "ute@example.com", kPassword);
    ASSERT_EQ(send(sent).status, 303U);

    EXPECT_EQ(send(sent).status, 409U);
    EXPECT_EQ(sign_in().status, 303U) << "another program";
    EXPECT_EQ(tokens(), 2U);
}

TEST_F(SignInPages, TakeNoFormThatWaitedTooLong) {
    const auto sent = filled(get(opened_), "ute@example.com", kPassword);
    wall_ += kFormLifetime;

    const auto late = send(sent);
    EXPECT_EQ(late.status, 403U);
    EXPECT_EQ(tokens(), 0U);
    EXPECT_EQ(send(filled(late, "ute@example.com", kPassword)).status, 303U) << "the new one that came with it";
}

TEST_F(SignInPages, HandOverForTwoMinutesToThatBrowserOnly) {
    ASSERT_EQ(sign_in().status, 303U);
    const auto cookie = std::exchange(handover_cookie_, "");
    EXPECT_EQ(get("/default/sign_in/client_redirect").status, 410U);

    handover_cookie_ = cookie;
    EXPECT_EQ(get("/default/sign_in/client_redirect").status, 302U);
    wall_ += kHandoverLifetime;
    EXPECT_EQ(get("/default/sign_in/client_redirect").status, 410U);
    EXPECT_EQ(get("/default/sign_in/done").status, 410U);
}

TEST_F(SignInPages, LetNobodyInWhosePasswordChangedMeanwhile) {
    auto sent = filled(get(opened_), "ute@example.com", kPassword);
    sent.cookie = form_cookie_;
    const auto answer = door_->answer(sent, now_, wall_);
    const auto& task = std::get<admin::PasswordTask>(*answer);
    const auto outcome = task.work();
    ASSERT_TRUE(outcome.matches);
    storage_.put_password(user_.id, "$argon2id$another");

    EXPECT_EQ(task.finish(outcome).status, 422U);
    EXPECT_EQ(tokens(), 0U);
}

TEST_F(SignInPages, LetNobodyInTwiceAtOnce) {
    auto sent = filled(get(opened_), "ute@example.com", kPassword);
    sent.cookie = form_cookie_;
    const auto first = door_->answer(sent, now_, wall_);
    const auto second = door_->answer(sent, now_, wall_);
    const auto& one = std::get<admin::PasswordTask>(*first);
    const auto& two = std::get<admin::PasswordTask>(*second);

    EXPECT_EQ(one.finish(one.work()).status, 303U);
    EXPECT_EQ(two.finish(two.work()).status, 409U);
    EXPECT_EQ(tokens(), 1U);
}

TEST_F(SignInPages, KeepOutWhoIsDisabled) {
    auto account = surroundings_.directory().account;
    account.client_session_lifetime = std::chrono::hours{1};
    storage_.put(account);
    surroundings_.reload();
    ASSERT_EQ(sign_in().status, 303U);
    EXPECT_EQ(storage_.list_tokens_of(user_.id, std::nullopt, portal::TokenType::kClient).at(0).expires_at,
              wall_ + std::chrono::hours{1});

    user_.is_disabled = true;
    storage_.put(user_);
    surroundings_.reload();
    EXPECT_EQ(tokens(), 0U);
    opened_ = "/default?as=headless-client";
    EXPECT_EQ(sign_in().status, 422U);
    EXPECT_EQ(newest().after, R"({"as":"headless-client","reason":"disabled"})");
    EXPECT_EQ(tokens(), 0U);

    user_.is_disabled = false;
    storage_.put(user_);
    surroundings_.reload();
    EXPECT_EQ(sign_in().status, 303U);
}

TEST_F(SignInPages, BoundTheTokensOfAPerson) {
    for (std::size_t i = 0; i < kMaxTokensOfPerson; ++i) {
        (void)token_of(user_, portal::TokenType::kClient, std::nullopt);
    }
    EXPECT_EQ(sign_in().status, 409U);
    EXPECT_EQ(tokens(), kMaxTokensOfPerson);
}

TEST_F(SignInPages, RunNoScriptsAndEscapeWhatIsTyped) {
    const auto page = sign_in(R"("><script>alert(1)</script>'@x)", "a wrong password");

    EXPECT_EQ(page.body.find("<script"), std::string::npos);
    EXPECT_NE(page.body.find("&quot;&gt;&lt;script&gt;"), std::string::npos);
    EXPECT_EQ(header_of(page, "Content-Security-Policy"),
              "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
    EXPECT_EQ(page.body.find("a wrong password"), std::string::npos);
    EXPECT_EQ(get("/sign_in/style.css").status, 200U);
}

TEST_F(SignInPages, SignOutByALinkOfTheApp) {
    const auto hop = get("/default/sign_out?as=client&state=5a");

    EXPECT_EQ(hop.status, 302U);
    EXPECT_EQ(header_of(hop, "Location"), "firezone://handle_client_sign_out_callback?state=5a");
    EXPECT_EQ(get("/default/sign_out?as=client").status, 400U);
}

TEST_F(SignInPages, AnswerOtherMethodsAndPathsKindly) {
    EXPECT_EQ(send(request("DELETE", "/default")).status, 405U);
    EXPECT_EQ(get("/default/sign_in/nothing").status, 404U);
    EXPECT_EQ(get("/default").status, 200U);
    EXPECT_EQ(get("/default?as=client&state=a&nonce=b&nonce=c").status, 400U);
    auto broken = request("POST", "/default/sign_in", "a=%");
    broken.content_type = "application/x-www-form-urlencoded";
    EXPECT_EQ(send(broken).status, 403U);
}

}  // namespace
}  // namespace culvert::sign_in
