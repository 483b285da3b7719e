import { Loader } from "@mantine/core";
import { useAccount } from "../../api/queries";
import { PageHead } from "../../parts/PageHead";
import { ProblemAlert } from "../../parts/ProblemAlert";
import { text } from "../../text";
import { AccountForm } from "./AccountForm";
import { PasswordForm } from "./PasswordForm";

export default function SettingsPage() {
  const account = useAccount();
  return (
    <>
      <PageHead title={text.settings.title} />
      <ProblemAlert problem={account.error} />
      {account.isPending && <Loader aria-label={text.common.loading} />}
      {account.data && (
        // Edited values stay when the account changes elsewhere; saving then says so.
        <AccountForm account={account.data.object} etag={account.data.etag} />
      )}
      <PasswordForm />
    </>
  );
}
