import { Button, Loader, MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { lazy, Suspense } from "react";
import { Router } from "wouter";
import { useSession, useSetup } from "../api/queries";
import { ConfirmDialog } from "../parts/confirm";
import { Notices } from "../parts/notice";
import { ProblemAlert } from "../parts/ProblemAlert";
import { text } from "../text";
import { queryClient } from "./queryClient";
import { Shell } from "./Shell";
import { theme } from "./theme";

const SignInPage = lazy(() => import("../pages/sign-in/SignInPage"));
const SetupPage = lazy(() => import("../pages/setup/SetupPage"));

/** Set-up while there is no administrator, sign-in while nobody is signed in, else the pages. */
function Door() {
  const session = useSession();
  const setup = useSetup();
  const problem = session.error ?? setup.error;
  if (problem) {
    return (
      <div className="door">
        <ProblemAlert problem={problem} />
        <Button
          onClick={() => {
            void session.refetch();
            void setup.refetch();
          }}
        >
          {text.common.retry}
        </Button>
      </div>
    );
  }
  if (session.data === undefined || setup.data === undefined) {
    return <Loader aria-label={text.common.loading} className="page-loader" />;
  }
  if (session.data) return <Shell session={session.data} />;
  return setup.data.is_needed ? <SetupPage /> : <SignInPage />;
}

export function App() {
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto" withCssVariables={false} withGlobalClasses={false}>
      <QueryClientProvider client={queryClient}>
        <Router base="/admin">
          <Suspense fallback={<Loader aria-label={text.common.loading} className="page-loader" />}>
            <Door />
          </Suspense>
          <ConfirmDialog />
          <Notices />
        </Router>
      </QueryClientProvider>
    </MantineProvider>
  );
}
