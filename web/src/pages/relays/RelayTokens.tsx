import { useList } from "../../api/queries";
import { TokenList } from "../../parts/TokenList";
import { text } from "../../text";

export function RelayTokens() {
  const tokens = useList("relay_tokens", { limit: 100 });
  return (
    <TokenList
      title={text.relays.tokens}
      path="/relay_tokens"
      tokens={tokens.data?.data}
      problem={tokens.error}
      canRevokeAll={false}
    />
  );
}
