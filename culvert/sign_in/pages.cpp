#include "culvert/sign_in/pages.h"

namespace culvert::sign_in::pages {
namespace {

/// Forms go to us, styles come from us, and that is all that a page may do.
constexpr const char* kPolicy =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

constexpr const char* kStyle = R"css(:root { color-scheme: light dark; --ink: #1b2733; --paper: #f4f6f8; --card: #fff;
  --line: #7b8794; --accent: #0b5cad; --on-accent: #fff; --bad: #a3122a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf0; --paper: #12181f; --card: #1b242e; --line: #8a97a5;
  --accent: #7cb8f5; --on-accent: #0c1620; --bad: #ff9aa8; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 26rem; margin: 10vh auto; padding: 1.75rem; background: var(--card); border-radius: .75rem; }
h1 { margin: 0 0 .25rem; font-size: 1.375rem; line-height: 1.3; overflow-wrap: anywhere; }
p { margin: .5rem 0; overflow-wrap: anywhere; }
label { display: block; margin-top: 1rem; font-weight: 600; }
input, textarea { width: 100%; margin-top: .25rem; padding: .625rem .75rem; border: 1px solid var(--line);
  border-radius: .375rem; background: var(--card); color: var(--ink); font: inherit; }
textarea { min-height: 9rem; font-family: ui-monospace, monospace; font-size: .875rem; resize: vertical; }
button, .button { display: block; width: 100%; margin-top: 1.5rem; padding: .625rem; border: 0; border-radius: .375rem;
  background: var(--accent); color: var(--on-accent); font: inherit; font-weight: 600; text-align: center;
  text-decoration: none; cursor: pointer; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.problem { padding: .625rem .75rem; border: 1px solid var(--bad); border-radius: .375rem; color: var(--bad); }
)css";

std::string escape(std::string_view text) {
    std::string escaped;
    for (const char c : text) {
        switch (c) {
            case '&':
                escaped += "&amp;";
                break;
            case '<':
                escaped += "&lt;";
                break;
            case '>':
                escaped += "&gt;";
                break;
            case '"':
                escaped += "&quot;";
                break;
            case '\'':
                escaped += "&#39;";
                break;
            default:
                escaped += c;
        }
    }
    return escaped;
}

/// `title` and `link` are text, `content` is HTML. With a `link` the page leads there by itself.
http::Response page(unsigned status, std::string_view title, const std::string& content, std::string_view link = "") {
    const auto refresh =
        link.empty() ? std::string{} : "<meta http-equiv=\"refresh\" content=\"0; url=" + escape(link) + "\">\n";
    return {.status = status,
            .body =
                "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                "<meta name=\"robots\" content=\"noindex\">\n" +
                refresh + "<title>" + escape(title) + "</title>\n<link rel=\"stylesheet\" href=\"" +
                std::string{kStylePath} + "\">\n</head>\n<body>\n<main>\n<h1>" + escape(title) + "</h1>\n" + content +
                "</main>\n</body>\n</html>\n",
            .content_type = "text/html; charset=utf-8",
            .headers = {{"Content-Security-Policy", kPolicy}, {"Cache-Control", "no-store"}}};
}

std::string hidden(std::string_view name, std::string_view value) {
    return "<input type=\"hidden\" name=\"" + std::string{name} + "\" value=\"" + escape(value) + "\">\n";
}

}  // namespace

http::Response style_sheet() {
    return {.status = 200,
            .body = kStyle,
            .content_type = "text/css; charset=utf-8",
            .headers = {{"Cache-Control", "public, max-age=3600"}}};
}

http::Response form(unsigned status, const FormPage& shown) {
    const bool is_wrong = !shown.problem.empty();
    const std::string described = is_wrong ? " aria-describedby=\"problem\" aria-invalid=\"true\"" : "";
    std::string content = shown.is_headless
                              ? "<p>A program without a screen asks for it. You will get a token to take there.</p>\n"
                              : "<p>An app on this device asks for it, and continues by itself.</p>\n";
    if (is_wrong) {
        content += "<p class=\"problem\" id=\"problem\" role=\"alert\">" + escape(shown.problem) + "</p>\n";
    }
    content += "<form method=\"post\" action=\"" + escape(shown.action) + "\">\n" + hidden("as", shown.as) +
               hidden("state", shown.state) + hidden("nonce", shown.nonce) + hidden("seal", shown.seal) +
               "<label for=\"email\">E-mail address</label>\n"
               "<input id=\"email\" name=\"email\" type=\"email\" autocomplete=\"username\" autocapitalize=\"none\" "
               "spellcheck=\"false\" maxlength=\"160\" required value=\"" +
               escape(shown.email) + "\"" + described + (shown.email.empty() ? " autofocus" : "") +
               ">\n"
               "<label for=\"password\">Password</label>\n"
               "<input id=\"password\" name=\"password\" type=\"password\" autocomplete=\"current-password\" required" +
               described + (shown.email.empty() ? "" : " autofocus") + ">\n<button>Sign in</button>\n</form>\n";
    return page(status, "Sign in to " + shown.account_name, content);
}

http::Response handover(const std::string& actor_name, const std::string& account_name, const std::string& link) {
    return page(200, "You are signed in",
                "<p>" + escape(actor_name) + ", " + escape(account_name) +
                    "</p>\n<p>The app opens now. If your browser asks, let it.</p>\n<p><a class=\"button\" href=\"" +
                    escape(link) + "\">Open the app</a></p>\n<p>Then you can close this page.</p>\n",
                link);
}

http::Response token(const std::string& actor_name, const std::string& account_name, const std::string& token,
                     const std::string& expires_at) {
    return page(200, "You are signed in",
                "<p>" + escape(actor_name) + ", " + escape(account_name) +
                    "</p>\n<p>Copy this token to the program that asked for it. Give it to nobody else: whoever has it "
                    "acts in your name until " +
                    escape(expires_at) +
                    ".</p>\n<label for=\"token\">Token</label>\n<textarea id=\"token\" readonly spellcheck=\"false\">" +
                    escape(token) + "</textarea>\n<p>It is shown only now. Then you can close this page.</p>\n");
}

http::Response notice(unsigned status, const std::string& title, const std::string& text) {
    return page(status, title, "<p>" + escape(text) + "</p>\n");
}

}  // namespace culvert::sign_in::pages
